//! Runs a program in a sandbox: reads it, plans what to call, calls it, and turns the results into text.
//!
//! [`sandbox`] says what the program may do and translates what became of it; [`functions`] lists what it exports; [`value`] and
//! [`wave`] are values as text; [`guest`] is the running instance. Everything is planned, arguments included, before the program is
//! instantiated, so that a mistake of the user's costs nothing and runs nothing.

mod functions;
mod guest;
mod imports;
mod sandbox;
mod value;
mod wave;

use std::sync::Arc;

use wasm_sandbox::{ResourceHandle, Type, Value};

use self::{
    functions::{Function, Functions},
    guest::Guest,
    sandbox::Ended,
};
use crate::{
    call::{self, Call},
    error::Error,
    exports,
    options::{Action, Options},
    program,
};

/// How a guest that was not stopped ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A command ended with this exit code.
    Exited(i32),
    /// A function returned; these bytes are its printed result.
    Returned(Vec<u8>),
}

/// Runs a program to its end.
///
/// The guest's standard streams are the process's. Blocks the calling thread.
pub fn run(options: &Options) -> Result<Outcome, Error> {
    let program = program::read(&options.file)?;
    let runtime = sandbox::runtime(options)?;
    // A program that cannot be linked is told so before anything is said about its functions.
    let module = runtime
        .load_module(&program.bytes)
        .map_err(|error| sandbox::load_failed(error, program.kind, &options.file))?;
    // Compiled code needs them no more.
    drop(program);
    let functions = Functions::of(&*module);
    let (plan, arguments) = plan(&functions, options)?;
    let outcome =
        Guest::start(&*runtime, &*module, options, arguments).and_then(|guest| plan.execute(guest));
    match outcome {
        Ok(outcome) => Ok(outcome),
        Err(Ended::Exited(code)) => Ok(Outcome::Exited(code)),
        Err(Ended::Failed(error)) => Err(error),
    }
}

/// What to do with the instance.
enum Plan<'a> {
    /// Run the command.
    Start(&'a Function),
    /// Call a function of the library.
    Call(Evaluation<'a>),
}

/// The plan, and the arguments that the program itself gets.
fn plan<'a>(
    functions: &'a Functions,
    options: &'a Options,
) -> Result<(Plan<'a>, &'a [String]), Error> {
    let call = match (&options.action, functions.command()) {
        (Action::Run(arguments), Some(command)) => return Ok((Plan::Start(command), arguments)),
        (Action::Run(words), None) => match call::in_words(words) {
            Some(text) => Evaluation::of_expression(functions, text, options)?,
            None => Evaluation::of_words(functions, words, options)?,
        },
        (Action::Invoke(text), _) => Evaluation::of_expression(functions, text, options)?,
    };
    Ok((Plan::Call(call), &[]))
}

impl Plan<'_> {
    fn execute(self, mut guest: Guest<'_>) -> Result<Outcome, Ended> {
        match self {
            Plan::Start(command) => {
                let results = guest.call(command, Vec::new())?;
                // A core command returns nothing, a component's a `result`.
                let failed = matches!(results[..], [Value::Result(Err(_))]);
                Ok(Outcome::Exited(i32::from(failed)))
            }
            Plan::Call(evaluation) => {
                let printed = evaluation.run(&mut guest)?;
                guest.finish()?;
                Ok(Outcome::Returned(printed))
            }
        }
    }
}

/// A call, and the calls of methods that follow on what it returns.
struct Evaluation<'a> {
    functions: &'a Functions,
    options: &'a Options,
    function: &'a Function,
    arguments: Vec<Value>,
    /// The calls that follow on the resource the first returns, and the text they stand in.
    methods: (&'a str, Vec<Call>),
    /// Whether the function was called by its bare name.
    bare: bool,
}

impl<'a> Evaluation<'a> {
    fn of_words(
        functions: &'a Functions,
        words: &'a [String],
        options: &'a Options,
    ) -> Result<Self, Error> {
        let Some((word, rest)) = words.split_first() else {
            return Err(Error::NoFunction {
                path: options.file.clone(),
                exports: functions.list(),
            });
        };
        let function = functions.find(word)?;
        let arguments = function.parse(0, |signature| value::parse_words(rest, signature))?;
        Ok(Evaluation {
            functions,
            options,
            function,
            arguments,
            methods: ("", Vec::new()),
            bare: true,
        })
    }

    fn of_expression(
        functions: &'a Functions,
        text: &'a str,
        options: &'a Options,
    ) -> Result<Self, Error> {
        let mut calls = call::parse(text)?;
        let first = calls.remove(0);
        if let Some(second) = calls.first()
            && !functions.have_methods()
        {
            return Err(Error::Value {
                reason: "a core module has no methods".to_owned(),
                text: text.to_owned(),
                span: second.name.clone(),
                expected: "only components have resources".to_owned(),
                signature: None,
            });
        }
        let function = functions.find(&text[first.name])?;
        let arguments = function.parse(0, |signature| {
            value::parse_call(text, first.arguments, signature)
        })?;
        Ok(Evaluation {
            functions,
            options,
            function,
            arguments,
            methods: (text, calls),
            bare: false,
        })
    }

    /// Calls, and gives the last result as the bytes to print.
    fn run(mut self, guest: &mut Guest<'_>) -> Result<Vec<u8>, Ended> {
        if let Some(initialize) = self.functions.initialize()
            && initialize.name != self.function.name
        {
            guest.call(initialize, Vec::new())?;
        }
        let mut function = self.function;
        let mut results = guest.call(function, std::mem::take(&mut self.arguments))?;
        let (text, calls) = &self.methods;
        for call in calls {
            let value = results.first().zip(function.results.first());
            let receiver = receiver(value, text, call)?;
            function = self.method(guest, receiver, &text[call.name.clone()])?;
            let mut arguments = vec![Value::Resource(receiver)];
            // The first parameter is the receiver.
            arguments.extend(function.parse(1, |signature| {
                value::parse_call(text, call.arguments.clone(), signature)
            })?);
            results = guest.call(function, arguments)?;
        }
        Ok(self.print(results, &function.results)?)
    }

    /// The method of that name of the receiver's type.
    fn method(
        &self,
        guest: &Guest<'_>,
        receiver: ResourceHandle,
        name: &str,
    ) -> Result<&'a Function, Error> {
        let names: Vec<Arc<str>> = guest.methods_of(receiver)?;
        let methods = names.iter().filter_map(|name| self.functions.named(name));
        let methods: Vec<&Function> = methods.collect();
        let found = methods.iter().find(|method| {
            let plain = method.export.plain_name();
            matches!(plain.split_once('.'), Some((_, method)) if method == name)
        });
        found.copied().ok_or_else(|| Error::UnknownFunction {
            name: name.to_owned(),
            nearest: None,
            exports: exports::list(
                &methods
                    .iter()
                    .map(|method| method.export.clone())
                    .collect::<Vec<_>>(),
            ),
        })
    }

    fn print(&self, mut results: Vec<Value>, types: &[Type]) -> Result<Vec<u8>, Error> {
        let (format, bare) = (self.options.format, self.bare);
        let (value, ty) = match types {
            [] => return Ok(Vec::new()),
            [ty] => (results.pop(), ty.clone()),
            types => (Some(Value::Tuple(results)), Type::Tuple(types.into())),
        };
        // Called like a program, a function fails like one.
        match (value, &ty) {
            (Some(Value::Result(Err(error))), Type::Result(_, ty)) if bare => {
                Err(guest_error(error.as_deref().zip(ty.as_deref())))
            }
            (Some(Value::Result(Ok(Some(ok)))), Type::Result(Some(ty), _)) if bare => {
                value::print(&ok, ty, format, bare)
            }
            (Some(Value::Result(Ok(None))), _) if bare => Ok(Vec::new()),
            (Some(value), ty) => value::print(&value, ty, format, bare),
            (None, _) => Ok(Vec::new()),
        }
    }
}

/// The resource in a call's result, on which the next method is called; `ok(…)` and `some(…)` are looked through.
fn receiver(
    result: Option<(&Value, &Type)>,
    text: &str,
    call: &Call,
) -> Result<ResourceHandle, Error> {
    match result {
        Some((Value::Resource(resource), _)) => Ok(*resource),
        Some((Value::Result(Ok(Some(inner))), Type::Result(Some(ty), _)))
        | Some((Value::Option(Some(inner)), Type::Option(ty))) => {
            receiver(Some((inner, ty)), text, call)
        }
        Some((Value::Result(Err(error)), Type::Result(_, ty))) => {
            Err(guest_error(error.as_deref().zip(ty.as_deref())))
        }
        other => Err(Error::Value {
            reason: "a method needs a resource to be called on".to_owned(),
            text: text.to_owned(),
            span: call.name.clone(),
            expected: match other {
                Some((value, ty)) => {
                    format!("the call before it returned `{}`", value::wave(value, ty)?)
                }
                None => "the call before it returned nothing".to_owned(),
            },
            signature: None,
        }),
    }
}

fn guest_error(error: Option<(&Value, &Type)>) -> Error {
    Error::GuestError(match error {
        None => "`err` without a value".to_owned(),
        Some((Value::String(text), _)) => text.clone(),
        Some((value, ty)) => {
            value::wave(value, ty).unwrap_or_else(|_| "a value without a text form".to_owned())
        }
    })
}
