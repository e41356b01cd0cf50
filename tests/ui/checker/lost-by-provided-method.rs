use ledger::Txn;

use ledger::Finish;

pub struct Other(pub Txn);

impl Finish for Other {
    fn finish(self) -> u32 {
        self.0.commit()
    }
}
pub fn f(other: Other) {
    other.ignore();
}
