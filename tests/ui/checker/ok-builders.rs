use ledger::Txn;

pub struct Builder {
    txn: Txn,
    name: Option<String>,
}
impl Builder {
    pub fn new() -> Self {
        Builder { txn: Txn::new(0), name: None }
    }
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }
    pub fn step(self) -> Self {
        Builder { txn: self.txn.step(), ..self }
    }
    pub fn build(self) -> (Txn, String) {
        (self.txn, self.name.unwrap_or_default())
    }
}
pub fn f() -> u32 {
    let (txn, name) = Builder::new().name("a").step().build();
    txn.commit() + name.len() as u32
}
pub fn by_steps(names: &[&str]) -> u32 {
    let mut builder = Builder::new();
    for name in names {
        builder = builder.name(name);
    }
    builder.build().0.commit()
}
