pub trait Serializer {
    type Output: wasm::Exportable;
}
pub struct Json;
impl Serializer for Json {
    type Output = std::collections::HashMap<String, u32>;
}
