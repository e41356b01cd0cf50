//! Answers of earlier runs, one file per suite, case and compiler.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Answer, Case, Suite, Tier, Tools};

#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
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
    let key = format!(
        "{}\n{}\n{}",
        tools.compiler(tier).words(),
        case.version,
        case.key
    );
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
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let temporary = file.with_extension("new");
    fs::write(&temporary, serde_json::to_vec_pretty(&stored)?)
        .and_then(|()| fs::rename(&temporary, &file))
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(stored.answer)
}
