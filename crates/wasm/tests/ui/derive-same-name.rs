#[allow(non_snake_case)]
#[derive(wasm::Record)]
pub struct Names {
    pub first_name: String,
    pub firstName: String,
}
