//! Values as text: arguments in WAVE or as plain words, results in WAVE, JSON or raw.
//!
//! Arguments are parsed against the function's types before the guest is instantiated, so that a mistake costs nothing.

use std::{
    error::Error as _,
    io::{IsTerminal, Read},
    ops::Range,
};

use serde_json::{Map, Value as Json};
use wasm_sandbox::{Type, Value};
use wasm_wave::{
    ast::Node,
    parser::{ParserError, ParserErrorKind},
    untyped::UntypedFuncCall,
};

use super::wave::{WaveType, WaveValue};
use crate::{error::Error, options::Format};

/// A parameter.
pub(super) struct Parameter {
    /// As an error refers to it.
    pub(super) name: String,
    pub(super) ty: Type,
    /// The type, by its name when it has one.
    pub(super) text: String,
    /// The type written out.
    pub(super) definition: String,
}

/// The function whose arguments are parsed, as errors show it.
pub(super) struct Signature<'a> {
    pub(super) parameters: &'a [Parameter],
    /// `name: func(…) -> …`
    pub(super) text: &'a str,
}

impl Signature<'_> {
    fn omissible(&self) -> usize {
        let options = self.parameters.iter().rev();
        options
            .take_while(|parameter| matches!(parameter.ty, Type::Option(_)))
            .count()
    }

    fn count_error(&self, given: usize, hint: Option<String>) -> Error {
        let all = self.parameters.len();
        let least = all - self.omissible();
        let plural = if all == 1 { "" } else { "s" };
        Error::ArgumentCount {
            expected: match (least, all) {
                (0, 0) => "no arguments".to_owned(),
                _ if least == all => format!("{all} argument{plural}"),
                _ => format!("{least} to {all} argument{plural}"),
            },
            given,
            signature: self.text.to_owned(),
            hint,
        }
    }

    /// Completes `values` by `none` for parameters left out at the end.
    fn fill(&self, mut values: Vec<Value>, given: usize) -> Result<Vec<Value>, Error> {
        for parameter in &self.parameters[values.len().min(self.parameters.len())..] {
            if !matches!(parameter.ty, Type::Option(_)) {
                return Err(self.count_error(given, None));
            }
            values.push(Value::Option(None));
        }
        Ok(values)
    }
}

/// Parses the argument list of a call expression: `arguments` is a range of `text` and includes the parentheses.
pub(super) fn parse_call(
    text: &str,
    arguments: Range<usize>,
    signature: &Signature<'_>,
) -> Result<Vec<Value>, Error> {
    // WAVE's parser reads whole calls; which name stands before the parenthesis is not its business.
    let call_text = format!("f{}", &text[arguments.clone()]);
    let place = |span: Range<usize>| {
        let start = arguments.start + span.start.saturating_sub(1);
        start..(arguments.start + span.end.saturating_sub(1)).max(start)
    };
    let refused = |error: &ParserError, expected: String| Error::Value {
        reason: reason(error),
        text: text.to_owned(),
        span: place(error.span()),
        expected,
        signature: Some(signature.text.to_owned()),
    };
    let call =
        UntypedFuncCall::parse(&call_text).map_err(|error| refused(&error, String::new()))?;
    let nodes: Vec<&Node> = match call.params_node() {
        Some(node) => node
            .as_tuple()
            .map_err(|error| refused(&error, String::new()))?
            .collect(),
        None => Vec::new(),
    };
    if nodes.len() > signature.parameters.len() {
        return Err(signature.count_error(nodes.len(), None));
    }
    let values = nodes
        .iter()
        .zip(signature.parameters)
        .map(|(node, parameter)| {
            ensure_text_form(parameter)?;
            node.to_wasm_value::<WaveValue<'_>>(&WaveType(parameter.ty.clone()), &call_text)
                .map(WaveValue::into_value)
                .map_err(|error| refused(&error, expectation(parameter)))
        })
        .collect::<Result<Vec<Value>, Error>>()?;
    signature.fill(values, nodes.len())
}

/// Parses one WAVE value that stands alone.
fn parse_word(
    word: &str,
    parameter: &Parameter,
    signature: &Signature<'_>,
) -> Result<Value, Error> {
    ensure_text_form(parameter)?;
    wasm_wave::from_str::<WaveValue<'_>>(&WaveType(parameter.ty.clone()), word)
        .map(WaveValue::into_value)
        .map_err(|error| Error::Value {
            reason: reason(&error),
            text: word.to_owned(),
            span: error.span(),
            expected: expectation(parameter),
            signature: Some(signature.text.to_owned()),
        })
}

/// Parses the words of a bare call.
///
/// A string parameter takes its word as it is. When exactly one argument is missing and standard input is not a terminal, a string or
/// `list<u8>` parameter is read from there: the only one of those types, or the last parameter.
pub(super) fn parse_words(
    words: &[String],
    signature: &Signature<'_>,
) -> Result<Vec<Value>, Error> {
    let parameters = signature.parameters;
    let required = parameters.len() - signature.omissible();
    if words.len() > parameters.len() {
        return Err(signature.count_error(words.len(), None));
    }
    let from_stdin = if words.len() + 1 == required {
        let index = stdin_parameter(&parameters[..required]);
        let hint = || {
            index.map(|index| {
                format!(
                    "{} can also come from standard input: `< FILE`",
                    parameters[index].name
                )
            })
        };
        if index.is_none() || std::io::stdin().is_terminal() {
            return Err(signature.count_error(words.len(), hint()));
        }
        index
    } else {
        None
    };
    let mut words_left = words.iter();
    let mut values = Vec::with_capacity(parameters.len());
    for (index, parameter) in parameters.iter().enumerate() {
        if from_stdin == Some(index) {
            values.push(read_stdin(parameter)?);
        } else if let Some(word) = words_left.next() {
            values.push(plain_word(word, parameter, signature)?);
        } else {
            break;
        }
    }
    signature.fill(values, words.len())
}

fn plain_word(
    word: &str,
    parameter: &Parameter,
    signature: &Signature<'_>,
) -> Result<Value, Error> {
    let only_char = || Some(word.chars().next()?).filter(|first| first.len_utf8() == word.len());
    match &parameter.ty {
        Type::String => Ok(Value::String(word.to_owned())),
        Type::Char => match only_char() {
            Some(only) => Ok(Value::Char(only)),
            None => parse_word(word, parameter, signature),
        },
        _ => parse_word(word, parameter, signature),
    }
}

/// Which parameter standard input supplies.
fn stdin_parameter(parameters: &[Parameter]) -> Option<usize> {
    let takes_text =
        |parameter: &Parameter| matches!(&parameter.ty, Type::String) || is_bytes(&parameter.ty);
    let mut candidates = (0..parameters.len()).filter(|&index| takes_text(&parameters[index]));
    let first = candidates.next()?;
    match candidates.next_back() {
        None => Some(first),
        Some(last) => (last + 1 == parameters.len()).then_some(last),
    }
}

fn is_bytes(ty: &Type) -> bool {
    matches!(ty, Type::List(element) if **element == Type::U8)
}

/// The most text read for one parameter.
const MAX_TEXT: u64 = 1 << 30;
/// The most bytes read for one `list<u8>`, whose elements are large in the sandbox's dynamic form.
const MAX_BYTES: u64 = 64 << 20;

fn read_stdin(parameter: &Parameter) -> Result<Value, Error> {
    let refused = |reason: String| Error::Stdin {
        parameter: parameter.name.clone(),
        reason,
    };
    let limit = if is_bytes(&parameter.ty) {
        MAX_BYTES
    } else {
        MAX_TEXT
    };
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refused(error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(refused(format!("it holds more than {limit} bytes")));
    }
    if is_bytes(&parameter.ty) {
        return Ok(Value::List(bytes.into_iter().map(Value::U8).collect()));
    }
    String::from_utf8(bytes)
        .map(Value::String)
        .map_err(|error| {
            refused(format!(
                "it is not UTF-8 at byte {}",
                error.utf8_error().valid_up_to()
            ))
        })
}

fn expectation(parameter: &Parameter) -> String {
    let Parameter {
        name,
        text,
        definition,
        ..
    } = parameter;
    if text == definition {
        format!("expected `{text}` for {name}")
    } else {
        format!("expected `{text}` for {name}: `{definition}`")
    }
}

/// The parser's words without its span, which is shown in the text itself.
fn reason(error: &ParserError) -> String {
    let what = match error.kind() {
        ParserErrorKind::InvalidType => "the value is of another type".to_owned(),
        ParserErrorKind::InvalidValue | ParserErrorKind::WasmValueError => {
            "the value does not fit its type".to_owned()
        }
        kind => kind.to_string(),
    };
    match (error.detail(), error.source()) {
        (Some(detail), _) => format!("{what}: {detail}"),
        (None, Some(source)) => format!("{what}: {source}"),
        (None, None) => what,
    }
}

/// Refuses parameters that hold resources, references and the like, which no text can denote.
fn ensure_text_form(parameter: &Parameter) -> Result<(), Error> {
    if has_text_form(&parameter.ty) {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "{} is of the type `{}`, which cannot be given as text",
        parameter.name, parameter.text
    )))
}

/// Whether every value of a type has a text form. The sandbox bounds the nesting of types.
fn has_text_form(ty: &Type) -> bool {
    let optional = |ty: Option<&Type>| ty.is_none_or(has_text_form);
    match ty {
        Type::Own | Type::Borrow | Type::Unsupported(_) => false,
        Type::List(ty) | Type::Option(ty) => has_text_form(ty),
        Type::Record(fields) => fields.iter().all(|field| has_text_form(&field.ty)),
        Type::Tuple(types) => types.iter().all(has_text_form),
        Type::Variant(cases) => cases.iter().all(|case| optional(case.ty.as_ref())),
        Type::Result(ok, err) => optional(ok.as_deref()) && optional(err.as_deref()),
        _ => true,
    }
}

/// A value in WAVE.
pub(super) fn wave(value: &Value, ty: &Type) -> Result<String, Error> {
    // WAVE's writer panics on values without a text form.
    if holds_resource(value) {
        return Err(no_text_form());
    }
    wasm_wave::to_string(&WaveValue::new(value, ty)).map_err(|_| no_text_form())
}

fn holds_resource(value: &Value) -> bool {
    match value {
        Value::Resource(_) => true,
        Value::List(values) | Value::Record(values) | Value::Tuple(values) => {
            values.iter().any(holds_resource)
        }
        Value::Variant(_, value) | Value::Option(value) | Value::Result(Ok(value) | Err(value)) => {
            value.as_deref().is_some_and(holds_resource)
        }
        _ => false,
    }
}

/// A result as the bytes to print. A bare call shows strings as they are unless a format is asked for.
pub(super) fn print(
    value: &Value,
    ty: &Type,
    format: Format,
    bare: bool,
) -> Result<Vec<u8>, Error> {
    let mut bytes = match (format, value) {
        (Format::Raw, Value::String(text)) => return Ok(text.clone().into_bytes()),
        (Format::Raw, Value::List(items)) if is_bytes(ty) => {
            let byte = |item: &Value| match item {
                Value::U8(byte) => Some(*byte),
                _ => None,
            };
            return Ok(items.iter().filter_map(byte).collect());
        }
        (Format::Auto, Value::String(text)) if bare => text.clone().into_bytes(),
        (Format::Json, _) => json(value, ty)?.to_string().into_bytes(),
        _ => wave(value, ty)?.into_bytes(),
    };
    bytes.push(b'\n');
    Ok(bytes)
}

/// A value as JSON.
///
/// Records are objects, tuples, lists and flags arrays, characters, enums and cases without a payload strings, a case with a payload
/// and a result an object with one key, `none` is null, and numbers JSON lacks (`nan`, `inf`) strings.
fn json(value: &Value, ty: &Type) -> Result<Json, Error> {
    let payload = |value: &Option<Box<Value>>, ty: Option<&Type>| match (value, ty) {
        (Some(value), Some(ty)) => json(value, ty),
        _ => Ok(Json::Null),
    };
    let keyed = |key: &str, value: Json| Json::Object(Map::from_iter([(key.to_owned(), value)]));
    Ok(match (value, ty) {
        (Value::Bool(value), _) => (*value).into(),
        (Value::S8(value), _) => (*value).into(),
        (Value::U8(value), _) => (*value).into(),
        (Value::S16(value), _) => (*value).into(),
        (Value::U16(value), _) => (*value).into(),
        (Value::S32(value), _) => (*value).into(),
        (Value::U32(value), _) => (*value).into(),
        (Value::S64(value), _) => (*value).into(),
        (Value::U64(value), _) => (*value).into(),
        // Through the shortest decimal that reads back as the same `f32`: 0.1, not 0.10000000149011612.
        (Value::F32(number), _) => {
            let decimal = number.to_string().parse();
            float(decimal.unwrap_or(f64::from(*number)), value, ty)?
        }
        (Value::F64(number), _) => float(*number, value, ty)?,
        (Value::Char(value), _) => value.to_string().into(),
        (Value::String(value), _) => value.clone().into(),
        (Value::List(items), Type::List(ty)) => Json::Array(
            items
                .iter()
                .map(|item| json(item, ty))
                .collect::<Result<_, _>>()?,
        ),
        (Value::Tuple(items), Type::Tuple(types)) => Json::Array(
            items
                .iter()
                .zip(types.iter())
                .map(|(item, ty)| json(item, ty))
                .collect::<Result<_, _>>()?,
        ),
        (Value::Record(values), Type::Record(fields)) => Json::Object(
            values
                .iter()
                .zip(fields.iter())
                .map(|(value, field)| Ok((field.name.to_string(), json(value, &field.ty)?)))
                .collect::<Result<_, Error>>()?,
        ),
        (Value::Flags(bits), Type::Flags(names)) => (0_u32..)
            .zip(names.iter())
            .filter(|(index, _)| bits >> (index & 63) & 1 == 1)
            .map(|(_, name)| Json::from(&**name))
            .collect(),
        (Value::Enum(index), Type::Enum(names)) => (*names[*index as usize]).into(),
        (Value::Variant(index, value), Type::Variant(cases)) => {
            let case = &cases[*index as usize];
            match &case.ty {
                None => (*case.name).into(),
                ty => keyed(&case.name, payload(value, ty.as_ref())?),
            }
        }
        (Value::Option(some), Type::Option(ty)) => payload(some, Some(ty))?,
        (Value::Result(Ok(value)), Type::Result(ty, _)) => {
            keyed("ok", payload(value, ty.as_deref())?)
        }
        (Value::Result(Err(value)), Type::Result(_, ty)) => {
            keyed("err", payload(value, ty.as_deref())?)
        }
        _ => return Err(no_text_form()),
    })
}

fn float(number: f64, value: &Value, ty: &Type) -> Result<Json, Error> {
    match serde_json::Number::from_f64(number) {
        Some(number) => Ok(Json::Number(number)),
        None => Ok(wave(value, ty)?.into()),
    }
}

fn no_text_form() -> Error {
    Error::Unsupported(
        "the result holds a resource, which has no text form; call one of its methods: `--invoke 'name(…).method(…)'`".to_owned(),
    )
}
