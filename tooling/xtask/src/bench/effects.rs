//! Effect inference over a whole application, against only reading it.

use std::{process::Command, time::Duration};

use anyhow::Result;

use super::{Bench, Limit, Measure, Profile, Row, Session, session};

pub(super) struct Effects;

/// The fixtures, and how many functions LLVM's unoptimised module of each has.
const INPUTS: [(&str, &str); 2] = [("text-app", "11,000"), ("many-crates", "19,000")];

/// What the inference and its report may cost.
const LIMIT: Duration = Duration::from_millis(100);

impl Bench for Effects {
    fn name(&self) -> &'static str {
        "effects"
    }

    fn about(&self) -> &'static str {
        "The effects of every function of an unoptimised application, with their witnesses for each entry (the example `effects` of \
         wasmir-verify), against lifting the same module and stopping there: the difference is the inference."
    }

    fn run(&self, session: &Session) -> Result<Vec<Row>> {
        let program = session::example("effects")?;
        let row = |(fixture, functions)| {
            let input = session.fixture(fixture, Profile::Debug)?;
            let command = |only_lift: bool| {
                let mut command = Command::new(&program);
                command.arg(&input);
                if only_lift {
                    command.arg("--only-lift");
                }
                Ok(command)
            };
            session.compare(
                format!("{fixture} from -O0, {functions} functions: infer effects"),
                Measure::Cpu,
                Limit::Extra(LIMIT),
                &|_| command(false),
                &|_| command(true),
            )
        };
        INPUTS.into_iter().map(row).collect()
    }
}
