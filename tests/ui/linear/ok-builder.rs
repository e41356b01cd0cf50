//! A builder that must be built.

#[wasm::linear]
pub struct Request {
    url: String,
    headers: Vec<(String, String)>,
    unsent: wasm::linear::Token<Request>,
}

impl Request {
    pub fn get(url: &str) -> Self {
        Self { url: url.to_owned(), headers: Vec::new(), unsent: wasm::linear::Token::new() }
    }
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    pub fn url(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }
    pub fn add(&mut self, name: &str) -> &mut Self {
        self.headers.push((name.to_owned(), String::new()));
        self
    }
    #[wasm::consume]
    pub fn send(self) -> usize {
        let Self { url, headers, unsent } = self;
        unsent.consume();
        url.len() + headers.len()
    }
}

pub fn chained() -> usize {
    Request::get("a").header("b", "c").url("d").header("e", "f").send()
}
pub fn in_steps(more: bool) -> usize {
    let mut request = Request::get("a");
    request.add("x").add("y");
    if more {
        request = request.header("b", "c");
    }
    request.send()
}
