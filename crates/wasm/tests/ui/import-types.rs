#[wasm::import]
pub mod host {
    pub fn log(map: std::collections::BTreeMap<String, String>);
    pub fn generic<T>(value: T);
    pub fn borrowed() -> &'static str;
}
