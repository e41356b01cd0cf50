//! A value that changes its type, or its variant, with every step.

#[wasm::linear]
pub enum Connection {
    Closed(wasm::linear::Token<Connection>),
    Open { socket: wasm::Handle<Connection>, sent: u32 },
    Failed { socket: wasm::Handle<Connection>, reason: String },
}

impl Connection {
    pub fn new() -> Self {
        Connection::Closed(wasm::linear::Token::new())
    }

    pub fn step(self, byte: u8) -> Self {
        match self {
            Connection::Closed(token) => {
                token.consume();
                Connection::Open { socket: wasm::Handle::from_raw(3), sent: 0 }
            }
            Connection::Open { socket, sent } if byte == 0 => Connection::Failed {
                socket,
                reason: format!("after {sent} bytes"),
            },
            Connection::Open { socket, sent } => Connection::Open { socket, sent: sent + 1 },
            Connection::Failed { socket, reason } => Connection::Failed { socket, reason },
        }
    }

    #[wasm::consume]
    pub fn finish(self) -> Result<u32, String> {
        match self {
            Connection::Closed(token) => {
                token.consume();
                Ok(0)
            }
            Connection::Open { socket, sent } => {
                let _raw = socket.into_raw();
                Ok(sent)
            }
            Connection::Failed { socket, reason } => {
                let _raw = socket.into_raw();
                Err(reason)
            }
        }
    }
}

pub fn run(bytes: &[u8]) -> Result<u32, String> {
    let mut connection = Connection::new();
    for &byte in bytes {
        connection = connection.step(byte);
    }
    connection.finish()
}

#[wasm::linear]
pub struct Draft {
    pub text: String,
    open: wasm::linear::Token<Draft>,
}
#[wasm::linear]
pub struct Review {
    pub text: String,
    open: wasm::linear::Token<Review>,
}
impl Draft {
    pub fn new() -> Draft {
        Draft { text: String::new(), open: wasm::linear::Token::new() }
    }
    #[wasm::consume]
    pub fn submit(self) -> Review {
        let Draft { text, open } = self;
        open.consume();
        Review { text, open: wasm::linear::Token::new() }
    }
}
impl Review {
    #[wasm::consume]
    pub fn publish(self) -> String {
        let Review { text, open } = self;
        open.consume();
        text
    }
}
pub fn write() -> String {
    Draft::new().submit().publish()
}
