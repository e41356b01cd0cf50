//! The passes by name, with times.

use clap::ValueEnum;
use std::time::{Duration, Instant};
use wasmir::{Body, FuncBody, Module, passes, reach};

/// A pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pass {
    /// Promote frames of the shadow stack to locals
    Frame,
    /// Inline small functions, promote frames and remove dead code, callees first
    Pipeline,
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

fn bodies(module: &mut Module) -> impl Iterator<Item = &mut Body> {
    module
        .funcs
        .values_mut()
        .filter_map(|func| match &mut func.body {
            FuncBody::Ir(body) => Some(&mut **body),
            _ => None,
        })
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
        Pass::Dce => {
            let mut sum = passes::dce::Stats::default();
            for body in bodies(module) {
                sum += passes::dce::run(body);
            }
            format!("{sum:?}")
        }
        Pass::Fold => format!("{:?}", passes::fold::run(module)),
        Pass::Reach => format!("{:?}", reach::run(module).map_err(|e| e.to_string())?),
    };
    Ok(Report {
        time: start.elapsed(),
        stats,
    })
}
