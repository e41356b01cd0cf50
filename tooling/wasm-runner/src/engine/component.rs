//! Components: WASI 0.2 commands, and libraries whose exported functions are called with WAVE values.

use wasmtime::{
    Engine, Store,
    component::{
        Component, ComponentExportIndex, Func, Instance, InstancePre, Linker, ResourceAny, Type,
        Val,
        types::{ComponentFunc, ComponentItem},
    },
};
use wasmtime_wasi::p2::{self, bindings::CommandPre};

use super::{
    Outcome,
    host::{self, Host},
    signature::Names,
    trap,
    value::{self, Parameter, Signature},
    within_time_limit,
};
use crate::{
    call::{self, Call},
    error::{Error, ImportProblem},
    exports::{self, Export},
    options::{Action, Options},
};

/// The interface a command exports, without its version.
const RUN: &str = "wasi:cli/run@0.2.";

/// What to do with an instantiated component.
enum Plan<'a> {
    Start,
    Call {
        function: usize,
        arguments: Vec<Val>,
        /// The calls that follow on the resource the first returns, with the text they stand in.
        methods: (&'a str, Vec<Call>),
        /// Whether the function was called by its bare name.
        bare: bool,
    },
}

/// Runs or calls the component in `bytes`.
pub(super) async fn run(
    engine: &Engine,
    bytes: &[u8],
    options: &Options,
) -> Result<Outcome, Error> {
    let component = Component::from_binary(engine, bytes)
        .map_err(|error| super::invalid(&options.file, &error))?;
    let mut linker = Linker::new(engine);
    p2::add_to_linker_async(&mut linker).map_err(|error| Error::Internal(super::chain(&error)))?;
    // A program that cannot be linked is told so before anything is said about its functions.
    let pre = linker
        .instantiate_pre(&component)
        .map_err(|error| imports_error(&component, &error, options))?;

    let functions = Functions::of(&component);
    let (plan, arguments) = match &options.action {
        Action::Run(arguments) if is_command(&component) => (Plan::Start, arguments.as_slice()),
        Action::Run(words) => match call::in_words(words) {
            Some(text) => (plan_expression(&functions, text)?, [].as_slice()),
            None => (plan_words(&functions, words, options)?, [].as_slice()),
        },
        Action::Invoke(text) => (plan_expression(&functions, text)?, [].as_slice()),
    };

    let mut store = host::store(engine, options, arguments)?;
    let run = Run {
        functions: &functions,
        options,
        pre,
    };
    within_time_limit(engine, options, run.execute(&mut store, plan)).await
}

struct Run<'a> {
    functions: &'a Functions,
    options: &'a Options,
    pre: InstancePre<Host>,
}

impl Run<'_> {
    async fn execute(&self, store: &mut Store<Host>, plan: Plan<'_>) -> Result<Outcome, Error> {
        match plan {
            Plan::Start => {
                let pre = CommandPre::new(self.pre.clone())
                    .map_err(|error| super::invalid(&self.options.file, &error))?;
                let command = match pre.instantiate_async(&mut *store).await {
                    Ok(command) => command,
                    Err(error) => return super::start_failed(&error, store, self.options),
                };
                match command.wasi_cli_run().call_run(&mut *store).await {
                    Ok(result) => Ok(Outcome::Exited(i32::from(result.is_err()))),
                    Err(error) => trap::explain(&error, &*store, self.options),
                }
            }
            Plan::Call {
                function,
                arguments,
                methods: (text, calls),
                bare,
            } => {
                let instance = match self.pre.instantiate_async(&mut *store).await {
                    Ok(instance) => instance,
                    Err(error) => return super::start_failed(&error, store, self.options),
                };
                let chain = Chain {
                    run: self,
                    instance,
                    held: Vec::new(),
                };
                chain
                    .evaluate(store, function, arguments, text, &calls, bare)
                    .await
            }
        }
    }
}

/// One chain of calls; holds the resources it has made, which are dropped at the end.
struct Chain<'a> {
    run: &'a Run<'a>,
    instance: Instance,
    held: Vec<ResourceAny>,
}

/// How one call ended.
enum Ended {
    Returned(Option<Val>),
    Exited(i32),
}

impl Chain<'_> {
    async fn evaluate(
        mut self,
        store: &mut Store<Host>,
        function: usize,
        arguments: Vec<Val>,
        text: &str,
        calls: &[Call],
        bare: bool,
    ) -> Result<Outcome, Error> {
        let mut value = match self.call(store, function, &arguments).await? {
            Ended::Returned(value) => value,
            Ended::Exited(code) => return Ok(Outcome::Exited(code)),
        };
        for call in calls {
            let receiver = self.receiver(value, text, call)?;
            let function = self.method(store, receiver, text, call)?;
            let method = &self.run.functions.0[function];
            // The first parameter is the receiver.
            let described = method.export.describe();
            let signature = Signature {
                parameters: &method.parameters[1..],
                text: &described,
            };
            let mut arguments = vec![Val::Resource(receiver)];
            arguments.extend(value::parse_call(text, call.arguments.clone(), &signature)?);
            value = match self.call(store, function, &arguments).await? {
                Ended::Returned(value) => value,
                Ended::Exited(code) => return Ok(Outcome::Exited(code)),
            };
        }
        let printed = self.print(value, bare)?;
        for resource in self.held.into_iter().rev() {
            // A destructor is the guest's code: it may trap or exit as any other.
            if let Err(error) = resource.resource_drop_async(&mut *store).await {
                return trap::explain(&error, &*store, self.run.options);
            }
        }
        Ok(Outcome::Returned(printed))
    }

    async fn call(
        &mut self,
        store: &mut Store<Host>,
        function: usize,
        arguments: &[Val],
    ) -> Result<Ended, Error> {
        let Function { index, .. } = &self.run.functions.0[function];
        let func: Func = self
            .instance
            .get_func(&mut *store, index)
            .ok_or_else(|| Error::Internal("an exported function disappeared".to_owned()))?;
        let mut results = vec![Val::Bool(false); func.ty(&*store).results().len()];
        match func.call_async(&mut *store, arguments, &mut results).await {
            Ok(()) => {
                for result in &results {
                    hold(result, &mut self.held);
                }
                Ok(Ended::Returned(results.pop()))
            }
            Err(error) => match trap::explain(&error, &*store, self.run.options)? {
                Outcome::Exited(code) => Ok(Ended::Exited(code)),
                Outcome::Returned(_) => Ok(Ended::Returned(None)),
            },
        }
    }

    /// The resource in a call's result, on which the next method is called; `ok(…)` and `some(…)` are looked through.
    fn receiver(&self, value: Option<Val>, text: &str, call: &Call) -> Result<ResourceAny, Error> {
        match value {
            Some(Val::Resource(resource)) => Ok(resource),
            Some(Val::Result(Ok(Some(inner))) | Val::Option(Some(inner))) => {
                self.receiver(Some(*inner), text, call)
            }
            Some(Val::Result(Err(error))) => Err(guest_error(error.as_deref())),
            other => Err(Error::Value {
                reason: "a method needs a resource to be called on".to_owned(),
                text: text.to_owned(),
                span: call.name.clone(),
                expected: match &other {
                    Some(value) => format!(
                        "the call before it returned `{}`",
                        value::component_wave(value)?
                    ),
                    None => "the call before it returned nothing".to_owned(),
                },
                signature: None,
            }),
        }
    }

    /// The method of that name of the receiver's type.
    fn method(
        &self,
        store: &mut Store<Host>,
        receiver: ResourceAny,
        text: &str,
        call: &Call,
    ) -> Result<usize, Error> {
        let name = &text[call.name.clone()];
        let mut methods = Vec::new();
        for (index, function) in self.run.functions.0.iter().enumerate() {
            if !function.export.is_method() {
                continue;
            }
            // Resource types are only distinct in an instance, so its types are asked, not the component's.
            let Some(func) = self.instance.get_func(&mut *store, function.index) else {
                continue;
            };
            let of_receiver = matches!(
                func.ty(&*store).params().next(),
                Some((_, Type::Borrow(ty) | Type::Own(ty))) if ty == receiver.ty()
            );
            if of_receiver {
                let plain = function.export.plain_name();
                if plain
                    .split_once('.')
                    .is_some_and(|(_, method)| method == name)
                {
                    return Ok(index);
                }
                methods.push(function.export.clone());
            }
        }
        Err(Error::UnknownFunction {
            name: name.to_owned(),
            nearest: None,
            exports: exports::list(&methods),
        })
    }

    fn print(&self, value: Option<Val>, bare: bool) -> Result<Vec<u8>, Error> {
        let format = self.run.options.format;
        match value {
            None => Ok(Vec::new()),
            // Called like a program, a function fails like one.
            Some(Val::Result(Err(error))) if bare => Err(guest_error(error.as_deref())),
            Some(Val::Result(Ok(Some(ok)))) if bare => value::print(&ok, format, bare),
            Some(Val::Result(Ok(None))) if bare => Ok(Vec::new()),
            Some(value) => value::print(&value, format, bare),
        }
    }
}

fn guest_error(error: Option<&Val>) -> Error {
    Error::GuestError(match error {
        None => "`err` without a value".to_owned(),
        Some(Val::String(text)) => text.clone(),
        Some(value) => value::component_wave(value)
            .unwrap_or_else(|_| "a value without a text form".to_owned()),
    })
}

/// Collects the resources in a value.
fn hold(value: &Val, held: &mut Vec<ResourceAny>) {
    match value {
        Val::Resource(resource) => held.push(*resource),
        Val::List(items) | Val::FixedLengthList(items) | Val::Tuple(items) => {
            items.iter().for_each(|item| hold(item, held));
        }
        Val::Record(fields) => fields.iter().for_each(|(_, value)| hold(value, held)),
        Val::Map(entries) => entries.iter().for_each(|(_, value)| hold(value, held)),
        Val::Variant(_, Some(value)) | Val::Option(Some(value)) => hold(value, held),
        Val::Result(Ok(Some(value)) | Err(Some(value))) => hold(value, held),
        _ => {}
    }
}

fn is_command(component: &Component) -> bool {
    let ty = component.component_type();
    ty.exports(component.engine())
        .any(|(name, _)| name.starts_with(RUN))
}

/// The functions a component exports.
struct Functions(Vec<Function>);

struct Function {
    export: Export,
    index: ComponentExportIndex,
    parameters: Vec<Parameter<Type>>,
}

impl Functions {
    fn of(component: &Component) -> Self {
        let engine = component.engine();
        let ty = component.component_type();
        let mut functions = Vec::new();
        let root: Vec<_> = ty
            .exports(engine)
            .map(|(name, item)| (name, item.ty))
            .collect();
        let names = names(&root);
        for (name, item) in &root {
            match item {
                ComponentItem::ComponentFunc(func) => {
                    let index = component.get_export_index(None, *name);
                    functions.extend(function(None, name, func, &names, index));
                }
                ComponentItem::ComponentInstance(instance) => {
                    let outer = component.get_export_index(None, *name);
                    let items: Vec<_> = instance
                        .exports(engine)
                        .map(|(name, item)| (name, item.ty))
                        .collect();
                    let names = self::names(&items);
                    for (inner, item) in &items {
                        if let ComponentItem::ComponentFunc(func) = item {
                            let index = component.get_export_index(outer.as_ref(), *inner);
                            functions.extend(function(Some(name), inner, func, &names, index));
                        }
                    }
                }
                _ => {}
            }
        }
        Functions(functions)
    }

    fn exports(&self) -> Vec<Export> {
        self.0
            .iter()
            .map(|function| function.export.clone())
            .collect()
    }

    fn find(&self, word: &str) -> Result<usize, Error> {
        exports::find(&self.exports(), word)
    }
}

fn names(items: &[(&str, ComponentItem)]) -> Names {
    let mut names = Names::default();
    for (name, item) in items {
        match item {
            ComponentItem::Type(ty) => names.types.push((ty.clone(), (*name).to_owned())),
            ComponentItem::Resource(ty) => names.resources.push((*ty, (*name).to_owned())),
            _ => {}
        }
    }
    names
}

fn function(
    interface: Option<&str>,
    name: &str,
    func: &ComponentFunc,
    names: &Names,
    index: Option<ComponentExportIndex>,
) -> Option<Function> {
    let export = Export {
        interface: interface.map(str::to_owned),
        name: name.to_owned(),
        signature: names.signature(func, name.starts_with("[method]")),
    };
    let parameters = func
        .params()
        .map(|(name, ty)| Parameter {
            name: format!("`{name}`"),
            definition: names.definition(&ty),
            text: names.text(&ty),
            ty,
        })
        .collect();
    Some(Function {
        export,
        index: index?,
        parameters,
    })
}

fn plan_words<'a>(
    functions: &Functions,
    words: &'a [String],
    options: &Options,
) -> Result<Plan<'a>, Error> {
    let Some((word, rest)) = words.split_first() else {
        return Err(Error::NoFunction {
            path: options.file.clone(),
            exports: exports::list(&functions.exports()),
        });
    };
    let index = functions.find(word)?;
    let function = &functions.0[index];
    let text = function.export.describe();
    let signature = Signature {
        parameters: &function.parameters,
        text: &text,
    };
    Ok(Plan::Call {
        function: index,
        arguments: value::parse_plain_words(rest, &signature)?,
        methods: ("", Vec::new()),
        bare: true,
    })
}

fn plan_expression<'a>(functions: &Functions, text: &'a str) -> Result<Plan<'a>, Error> {
    let mut calls = call::parse(text)?;
    let first = calls.remove(0);
    let index = functions.find(&text[first.name.clone()])?;
    let function = &functions.0[index];
    let described = function.export.describe();
    let signature = Signature {
        parameters: &function.parameters,
        text: &described,
    };
    Ok(Plan::Call {
        function: index,
        arguments: value::parse_call(text, first.arguments.clone(), &signature)?,
        methods: (text, calls),
        bare: false,
    })
}

/// Which imports are missing; the engine's own words when it is not that.
fn imports_error(component: &Component, error: &wasmtime::Error, options: &Options) -> Error {
    let engine = component.engine();
    let ty = component.component_type();
    let problems: Vec<ImportProblem> = ty
        .imports(engine)
        .filter(|(name, item)| !is_provided(name) && wants_code(&item.ty, engine))
        .map(|(name, _)| ImportProblem {
            name: name.to_owned(),
            needs: provider(name),
        })
        .collect();
    if problems.is_empty() {
        return Error::Start {
            path: options.file.clone(),
            detail: super::chain(error),
            memory_refused: None,
        };
    }
    Error::Imports {
        path: options.file.clone(),
        problems,
    }
}

/// Whether an import is more than types.
fn wants_code(item: &ComponentItem, engine: &Engine) -> bool {
    match item {
        ComponentItem::Type(_) => false,
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(_, item)| wants_code(&item.ty, engine)),
        _ => true,
    }
}

/// The packages of WASI 0.2 the runner offers.
const PROVIDED: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

fn is_provided(import: &str) -> bool {
    wasi_package(import).is_some_and(|(package, version)| {
        PROVIDED.contains(&package) && version.starts_with("0.2.")
    })
}

/// The package and the version of `wasi:package/interface@version`.
fn wasi_package(import: &str) -> Option<(&str, &str)> {
    let (package, rest) = import.strip_prefix("wasi:")?.split_once('/')?;
    let (_, version) = rest.split_once('@')?;
    Some((package, version))
}

/// Who would provide a component's import.
fn provider(import: &str) -> Option<&'static str> {
    let (package, version) = wasi_package(import)?;
    Some(match package {
        _ if version.starts_with("0.3") => "WASI 0.3; this runner offers 0.2",
        "http" => "a host with WASI HTTP, such as a server",
        "nn" => "a host with neural networks",
        "keyvalue" | "blobstore" | "config" | "messaging" => "a host with cloud services",
        package if PROVIDED.contains(&package) => "another version of WASI; this runner offers 0.2",
        _ => "a host with this WASI proposal",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_told_apart() {
        assert!(is_provided("wasi:cli/stdout@0.2.6"));
        assert!(!is_provided("wasi:cli/stdout@0.3.0"));
        assert!(!is_provided("wasi:http/types@0.2.0"));
        assert!(!is_provided("wasi:cli/stdout"));
        assert!(!is_provided("docs:cli/stdout@0.2.0"));
        assert_eq!(
            provider("wasi:cli/stdout@0.3.0"),
            Some("WASI 0.3; this runner offers 0.2")
        );
        assert_eq!(provider("a:b/c"), None);
    }
}
