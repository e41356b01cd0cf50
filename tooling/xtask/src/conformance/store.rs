//! Answers of earlier runs, one file per suite, case and compiler. A file's key is a digest of everything that could change its answer.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Answer, Case, Suite, Tier, Tools};

#[derive(Serialize, Deserialize)]
struct Stored {
    key: u64,
    answer: Answer,
}

/// The answer of an earlier run with the same compiler and case, or a new one.
pub(super) fn answer(
    suite: &dyn Suite,
    case: &Case,
    tools: &Tools,
    tier: Tier,
    again: bool,
) -> Result<Answer> {
    let folder = tools.work().join("answers").join(suite.name());
    let file = folder.join(format!("{}.{}.json", case.name, tier.name()));
    let mut hasher = DefaultHasher::new();
    (tools.compiler(tier).words(), &case.version, &case.key).hash(&mut hasher);
    let key = hasher.finish();
    if !again
        && let Ok(text) = fs::read(&file)
        && let Ok(stored) = serde_json::from_slice::<Stored>(&text)
        && stored.key == key
    {
        return Ok(stored.answer);
    }
    let stored = Stored {
        key,
        answer: suite.run(case, tools, tier)?,
    };
    wasm_toolchain::write_whole(&file, &serde_json::to_vec_pretty(&stored)?)
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(stored.answer)
}
