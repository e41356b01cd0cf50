//! The pipeline for one function, with memory that is reused from function to function.

use crate::bounds;
use crate::checker;
use crate::dead_sets;
use crate::encode::{Encoder, FunctionBody};
use crate::env::Environment;
use crate::error::{Error, ErrorKind};
use crate::flow::{self, Flow, Graph};
use crate::ifconv;
use crate::irreducible;
use crate::lir::Lir;
use crate::locals::{self, Abi};
use crate::merge;
use crate::optimize::{self, MidEnd};
use crate::results;
use crate::select;
use crate::sink;
use crate::stackify::{self, Code};
use cranelift_codegen::Context;
use cranelift_codegen::ir::Function;
use cranelift_codegen::settings::Flags;

/// What happened in a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmitStats {
    /// What irreducible control flow took.
    pub irreducible: irreducible::Made,
    /// Declared locals.
    pub locals: u32,
}

/// Emits functions one after the other. One per thread.
pub struct Emitter {
    ctx: Context,
    flags: Flags,
    lir: Lir,
    select: select::Scratch,
    bounds: bounds::Scratch,
    stackify: stackify::Scratch,
    code: Code,
    graph: Graph,
    flow: Flow,
    /// Which functions go through the mid-end (all by default).
    pub mid_end: MidEnd,
    /// What happened in the last function.
    pub stats: EmitStats,
}

impl Default for Emitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Emitter {
    /// A new emitter.
    pub fn new() -> Self {
        Emitter {
            ctx: Context::new(),
            flags: optimize::flags(),
            lir: Lir::default(),
            select: select::Scratch::default(),
            bounds: bounds::Scratch::default(),
            stackify: stackify::Scratch::default(),
            code: Code::default(),
            graph: Graph::default(),
            flow: Flow::default(),
            mid_end: MidEnd::All,
            stats: EmitStats::default(),
        }
    }

    /// The function being emitted, to be filled before [`Emitter::emit_current`]; empty at first.
    pub fn function(&mut self) -> &mut Function {
        &mut self.ctx.func
    }

    /// Emits `func`.
    pub fn emit(&mut self, func: Function, env: &dyn Environment) -> Result<FunctionBody, Error> {
        self.ctx.clear();
        self.ctx.func = func;
        let count = select::abi_types(&self.ctx.func.signature.params)
            .map_err(|kind| self.error(kind))?
            .len();
        let abi = Abi {
            count: count as u32,
            ..Abi::default()
        };
        self.emit_current(env, &abi)
    }

    /// Empties the function for the next one.
    pub fn clear(&mut self) {
        self.ctx.clear();
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error {
            function: self.ctx.func.name.to_string(),
            kind,
        }
    }

    /// Emits the function of [`Emitter::function`], with `abi` as the relation of its parameters to the wasm ones.
    pub fn emit_current(
        &mut self,
        env: &dyn Environment,
        abi: &Abi,
    ) -> Result<FunctionBody, Error> {
        optimize::optimize(&mut self.ctx, &self.flags, self.mid_end);
        self.lower(env, abi).map_err(|kind| self.error(kind))
    }

    /// The function after the mid-end, as text.
    pub fn clif(&self) -> String {
        self.ctx.func.display().to_string()
    }

    fn lower(&mut self, env: &dyn Environment, abi: &Abi) -> Result<FunctionBody, ErrorKind> {
        let func = &self.ctx.func;
        let results = select::abi_types(&func.signature.returns)?;
        select::select(
            func,
            &self.ctx.domtree,
            env,
            &mut self.lir,
            &mut self.select,
        )?;
        merge::merge(&mut self.lir);
        ifconv::convert(&mut self.lir);
        merge::merge(&mut self.lir);
        dead_sets::remove(&mut self.lir);
        self.graph.compute(&self.lir);
        bounds::simplify(&mut self.lir, &self.graph, &mut self.bounds);
        self.stats.irreducible = irreducible::make_reducible(&mut self.lir, &mut self.graph);
        irreducible::split_switch_edges(&mut self.lir);
        sink::sink(&mut self.lir);
        self.graph.compute(&self.lir);
        stackify::stackify(&mut self.lir, &mut self.code, &mut self.stackify);
        results::find(&self.lir, &self.graph, &mut self.code, |v| {
            self.stackify.uses(v)
        });
        flow::structure(&self.lir, &self.graph, &self.code, &mut self.flow);
        self.flow.number_labels();
        let locals = locals::allocate(&self.lir, &self.code, &self.graph, &self.flow.steps, abi)?;
        if cfg!(debug_assertions)
            && self.stats.irreducible.dispatchers == 0
            && let Some(wrong) = checker::check(&self.lir, &self.code, &self.graph, &locals)
        {
            return Err(ErrorKind::Invalid(wrong));
        }
        self.stats.locals = locals.runs.iter().map(|r| r.0).sum();
        let encoder = Encoder {
            lir: &self.lir,
            code: &self.code,
            flow: &self.flow,
            locals: &locals,
            env,
            results: &results,
            opaque_results: abi.opaque_results,
        };
        encoder.encode()
    }
}
