use wasm::linear::Linear;

pub fn f<T: Linear>(value: T, yes: bool) -> Option<T> {
    if yes { Some(value) } else { None }
}
