//! One instance of the program, and the calls into it.
//!
//! # Time
//!
//! The time limit is one for instantiation and all calls; the sandbox bounds each by itself. So every call begins by setting the
//! instance's deadline to what is left.

use std::time::Instant;

use wasm_sandbox::{
    ResourceHandle, Result as SandboxResult, Value, WasmInstance, WasmModule, WasmRuntime,
};

use super::{
    functions::Function,
    sandbox::{self, Ended},
};
use crate::{error::Error, options::Options};

/// An instance, and the resources that its functions have returned, which are dropped at the end.
pub(super) struct Guest<'a> {
    options: &'a Options,
    instance: Box<dyn WasmInstance>,
    /// When its time is up.
    end: Option<Instant>,
    held: Vec<ResourceHandle>,
}

impl<'a> Guest<'a> {
    /// Makes the instance, which runs its start code.
    pub(super) fn start(
        runtime: &dyn WasmRuntime,
        module: &dyn WasmModule,
        options: &'a Options,
        arguments: &[String],
    ) -> Result<Self, Ended> {
        let timeout = options.limits.timeout;
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let capabilities = sandbox::capabilities(options, arguments);
        let instance = runtime
            .create_instance(module, sandbox::limits(options), capabilities)
            .map_err(|error| sandbox::start_failed(error, options))?;
        Ok(Guest {
            options,
            instance,
            end,
            held: Vec::new(),
        })
    }

    /// Calls a function.
    pub(super) fn call(
        &mut self,
        function: &Function,
        arguments: Vec<Value>,
    ) -> Result<Vec<Value>, Ended> {
        if function.parameters.len() != arguments.len() {
            return Err(Ended::Failed(Error::Start {
                path: self.options.file.clone(),
                detail: format!("the export `{}` should take no parameters", function.name),
                memory_refused: None,
            }));
        }
        let caller = self.instance.function_caller();
        let results = self.timed(|_| caller.call_with(&function.name, arguments))?;
        results
            .iter()
            .for_each(|result| hold(result, &mut self.held));
        Ok(results)
    }

    /// The names of the methods of a resource.
    pub(super) fn methods_of(
        &self,
        receiver: ResourceHandle,
    ) -> Result<Vec<std::sync::Arc<str>>, Error> {
        self.instance
            .methods_of(receiver)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// Drops the resources, the last first. A destructor is the guest's code: it may trap or exit as any other.
    pub(super) fn finish(mut self) -> Result<(), Ended> {
        while let Some(resource) = self.held.pop() {
            self.timed(|instance| instance.drop_resource(resource))?;
        }
        Ok(())
    }

    /// Runs guest code within the time that is left.
    fn timed<T>(
        &self,
        call: impl FnOnce(&dyn WasmInstance) -> SandboxResult<T>,
    ) -> Result<T, Ended> {
        let instance = &*self.instance;
        let left = self
            .end
            .map(|end| end.saturating_duration_since(Instant::now()));
        let timed = match left {
            Some(left) => instance.set_deadline(Some(left)),
            None => Ok(()),
        };
        timed
            .and_then(|()| call(instance))
            .map_err(|error| sandbox::call_failed(error, instance.refused_growth(), self.options))
    }
}

/// Collects the resources in a value.
fn hold(value: &Value, held: &mut Vec<ResourceHandle>) {
    match value {
        Value::Resource(resource) => held.push(*resource),
        Value::List(values) | Value::Record(values) | Value::Tuple(values) => {
            values.iter().for_each(|value| hold(value, held));
        }
        Value::Variant(_, Some(value))
        | Value::Option(Some(value))
        | Value::Result(Ok(Some(value)) | Err(Some(value))) => hold(value, held),
        _ => {}
    }
}
