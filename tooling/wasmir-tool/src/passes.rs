//! The passes by name, with times.

use clap::ValueEnum;
use std::fmt::Debug;
use std::ops::AddAssign;
use std::time::{Duration, Instant};
use wasmir::{Body, FuncBody, Module, passes, reach};

/// A pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pass {
    /// Promote frames of the shadow stack to locals
    Frame,
    /// Inline small functions, promote frames and remove dead code, callees first
    Pipeline,
    /// The same for a program that no optimiser has seen, as the linker of dev builds runs it
    FrontEnd,
    /// Remove loads of what is known to be in memory, and stores that are overwritten
    Memory,
    /// Follow what is known of conditions: constants, dominating branches, jump threading
    Branch,
    /// Remove dead code from each function
    Dce,
    /// Send calls of identical functions to one of them
    Fold,
    /// Remove what nothing reaches
    Reach,
}

/// The passes of a build, in order.
pub(crate) const BUILD: [Pass; 3] = [Pass::Reach, Pass::Pipeline, Pass::Reach];

/// What a pass took and did.
pub(crate) struct Report {
    pub(crate) time: Duration,
    pub(crate) stats: String,
}

/// Runs a pass on each body and says what it did in all of them.
fn each<S: Default + AddAssign + Debug>(
    module: &mut Module,
    run: impl Fn(&mut Body) -> S,
) -> String {
    let mut sum = S::default();
    for func in module.funcs.values_mut() {
        if let FuncBody::Ir(body) = &mut func.body {
            sum += run(body);
        }
    }
    format!("{sum:?}")
}

/// Runs a pass.
pub(crate) fn run(pass: Pass, module: &mut Module) -> Result<Report, String> {
    let start = Instant::now();
    let stats = match pass {
        Pass::Frame => {
            let made = passes::pipeline::run(module, &passes::pipeline::Options::FRAMES);
            format!("{:?}", made.frames)
        }
        Pass::Pipeline => {
            format!(
                "{:?}",
                passes::pipeline::run(module, &passes::pipeline::Options::default())
            )
        }
        Pass::FrontEnd => {
            let options = passes::pipeline::Options::FRONT_END;
            format!("{:?}", passes::pipeline::run(module, &options))
        }
        Pass::Memory => each(module, passes::memory::run),
        Pass::Branch => each(module, passes::branch::run),
        Pass::Dce => each(module, passes::dce::run),
        Pass::Fold => format!("{:?}", passes::fold::run(module)),
        Pass::Reach => format!("{:?}", reach::run(module).map_err(|e| e.to_string())?),
    };
    Ok(Report {
        time: start.elapsed(),
        stats,
    })
}
