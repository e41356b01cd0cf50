#[wasm::linear]
pub enum Connection {
    Closed,
    Open(wasm::Handle<Connection>),
}
pub fn f(connection: Connection) -> bool {
    matches!(connection, Connection::Open(_))
}
