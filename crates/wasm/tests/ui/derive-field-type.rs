#[derive(wasm::Record)]
pub struct Job {
    pub name: String,
    pub took: std::time::Duration,
}
