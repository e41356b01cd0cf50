//! Values as text: arguments in WAVE or as plain words, results in WAVE, JSON or raw.
//!
//! Parsing is generic over the two kinds of values (core and component), which implement the same WAVE traits. Arguments are parsed
//! against the function's types before the guest is instantiated, so that a mistake costs nothing.

use std::{
    error::Error as _,
    io::{IsTerminal, Read},
    ops::Range,
};

use serde_json::{Map, Value as Json};
use wasmtime::component::{
    Type, Val,
    wasm_wave::{
        self,
        ast::Node,
        parser::{ParserError, ParserErrorKind},
        untyped::UntypedFuncCall,
        wasm::{WasmType, WasmTypeKind, WasmValue},
    },
};

use crate::{error::Error, options::Format};

/// A parameter.
pub(super) struct Parameter<T> {
    /// As an error refers to it.
    pub(super) name: String,
    pub(super) ty: T,
    /// The type, by its name when it has one.
    pub(super) text: String,
    /// The type written out.
    pub(super) definition: String,
}

/// The function whose arguments are parsed, as errors show it.
pub(super) struct Signature<'a, T> {
    pub(super) parameters: &'a [Parameter<T>],
    /// `name: func(…) -> …`
    pub(super) text: &'a str,
}

impl<T: WasmType> Signature<'_, T> {
    fn omissible(&self) -> usize {
        let options = self.parameters.iter().rev();
        options
            .take_while(|parameter| parameter.ty.kind() == WasmTypeKind::Option)
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
    fn fill<V: WasmValue<Type = T>>(
        &self,
        mut values: Vec<V>,
        given: usize,
    ) -> Result<Vec<V>, Error> {
        for parameter in &self.parameters[values.len().min(self.parameters.len())..] {
            // Values that have no options panic when asked for one, so the type is looked at first.
            if parameter.ty.kind() != WasmTypeKind::Option {
                return Err(self.count_error(given, None));
            }
            let none = V::make_option(&parameter.ty, None)
                .map_err(|error| Error::Internal(error.to_string()))?;
            values.push(none);
        }
        Ok(values)
    }
}

/// Parses the argument list of a call expression: `arguments` is a range of `text` and includes the parentheses.
pub(super) fn parse_call<V: WasmValue>(
    text: &str,
    arguments: Range<usize>,
    signature: &Signature<'_, V::Type>,
) -> Result<Vec<V>, Error> {
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
            node.to_wasm_value::<V>(&parameter.ty, &call_text)
                .map_err(|error| refused(&error, expectation(parameter)))
        })
        .collect::<Result<Vec<V>, Error>>()?;
    signature.fill(values, nodes.len())
}

/// Parses one WAVE value that stands alone.
pub(super) fn parse_word<V: WasmValue>(
    word: &str,
    parameter: &Parameter<V::Type>,
    signature: &Signature<'_, V::Type>,
) -> Result<V, Error> {
    ensure_text_form(parameter)?;
    wasm_wave::from_str::<V>(&parameter.ty, word).map_err(|error| Error::Value {
        reason: reason(&error),
        text: word.to_owned(),
        span: error.span(),
        expected: expectation(parameter),
        signature: Some(signature.text.to_owned()),
    })
}

/// Parses the words of a bare call of a core function.
pub(super) fn parse_words<V: WasmValue>(
    words: &[String],
    signature: &Signature<'_, V::Type>,
) -> Result<Vec<V>, Error> {
    if words.len() > signature.parameters.len() {
        return Err(signature.count_error(words.len(), None));
    }
    let values = words
        .iter()
        .zip(signature.parameters)
        .map(|(word, parameter)| parse_word(word, parameter, signature))
        .collect::<Result<_, _>>()?;
    signature.fill(values, words.len())
}

/// Parses the words of a bare call of a component's function.
///
/// A string parameter takes its word as it is. When exactly one argument is missing and standard input is not a terminal, a string or
/// `list<u8>` parameter is read from there: the only one of those types, or the last parameter.
pub(super) fn parse_plain_words(
    words: &[String],
    signature: &Signature<'_, Type>,
) -> Result<Vec<Val>, Error> {
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
    parameter: &Parameter<Type>,
    signature: &Signature<'_, Type>,
) -> Result<Val, Error> {
    let only_char = || Some(word.chars().next()?).filter(|first| first.len_utf8() == word.len());
    match &parameter.ty {
        Type::String => Ok(Val::String(word.to_owned())),
        Type::Char => match only_char() {
            Some(only) => Ok(Val::Char(only)),
            None => parse_word(word, parameter, signature),
        },
        _ => parse_word(word, parameter, signature),
    }
}

/// Which parameter standard input supplies.
fn stdin_parameter(parameters: &[Parameter<Type>]) -> Option<usize> {
    let takes_text = |parameter: &Parameter<Type>| {
        matches!(&parameter.ty, Type::String) || is_bytes(&parameter.ty)
    };
    let mut candidates = (0..parameters.len()).filter(|&index| takes_text(&parameters[index]));
    let first = candidates.next()?;
    match candidates.next_back() {
        None => Some(first),
        Some(last) => (last + 1 == parameters.len()).then_some(last),
    }
}

fn is_bytes(ty: &Type) -> bool {
    matches!(ty, Type::List(list) if list.ty() == Type::U8)
}

/// The most text read for one parameter.
const MAX_TEXT: u64 = 1 << 30;
/// The most bytes read for one `list<u8>`, whose elements are large in the engine's dynamic form.
const MAX_BYTES: u64 = 64 << 20;

fn read_stdin(parameter: &Parameter<Type>) -> Result<Val, Error> {
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
        return Ok(Val::List(bytes.into_iter().map(Val::U8).collect()));
    }
    String::from_utf8(bytes).map(Val::String).map_err(|error| {
        refused(format!(
            "it is not UTF-8 at byte {}",
            error.utf8_error().valid_up_to()
        ))
    })
}

fn expectation<T>(parameter: &Parameter<T>) -> String {
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

/// Refuses parameters that hold resources, streams and the like, which no text can denote.
fn ensure_text_form<T: WasmType>(parameter: &Parameter<T>) -> Result<(), Error> {
    if has_text_form(&parameter.ty, 0) {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "{} is of the type `{}`, which cannot be given as text",
        parameter.name, parameter.text
    )))
}

fn has_text_form<T: WasmType>(ty: &T, depth: usize) -> bool {
    // Validation bounds the nesting of types at 100.
    if depth > 100 {
        return false;
    }
    let optional = |ty: Option<T>| ty.is_none_or(|ty| has_text_form(&ty, depth + 1));
    match ty.kind() {
        WasmTypeKind::Unsupported | WasmTypeKind::FixedLengthList => false,
        WasmTypeKind::List => optional(ty.list_element_type()),
        WasmTypeKind::Option => optional(ty.option_some_type()),
        WasmTypeKind::Record => ty
            .record_fields()
            .all(|(_, ty)| has_text_form(&ty, depth + 1)),
        WasmTypeKind::Tuple => ty
            .tuple_element_types()
            .all(|ty| has_text_form(&ty, depth + 1)),
        WasmTypeKind::Variant => ty.variant_cases().all(|(_, ty)| optional(ty)),
        WasmTypeKind::Result => ty
            .result_types()
            .is_none_or(|(ok, err)| optional(ok) && optional(err)),
        _ => true,
    }
}

/// A value in WAVE, which must consist of what has a text form: the writer panics on other values.
pub(super) fn wave<V: WasmValue>(value: &V) -> Result<String, Error> {
    wasm_wave::to_string(value).map_err(|_| no_text_form())
}

/// A component's value in WAVE.
pub(super) fn component_wave(value: &Val) -> Result<String, Error> {
    if is_text(value) {
        wave(value)
    } else {
        Err(no_text_form())
    }
}

/// Whether a value holds no resource, stream or the like.
fn is_text(value: &Val) -> bool {
    let all = |items: &[Val]| items.iter().all(is_text);
    let payload = |value: &Option<Box<Val>>| value.as_deref().is_none_or(is_text);
    match value {
        Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) | Val::Map(_) => {
            false
        }
        Val::List(items) | Val::FixedLengthList(items) | Val::Tuple(items) => all(items),
        Val::Record(fields) => fields.iter().all(|(_, value)| is_text(value)),
        Val::Variant(_, value) | Val::Option(value) | Val::Result(Ok(value) | Err(value)) => {
            payload(value)
        }
        _ => true,
    }
}

/// A result as the bytes to print. A bare call shows strings as they are unless a format is asked for.
pub(super) fn print(value: &Val, format: Format, bare: bool) -> Result<Vec<u8>, Error> {
    let mut bytes = match (format, value) {
        (Format::Raw, Val::String(text)) => return Ok(text.clone().into_bytes()),
        (Format::Raw, Val::List(items)) if items.iter().all(|item| matches!(item, Val::U8(_))) => {
            return Ok(items
                .iter()
                .filter_map(|item| {
                    if let Val::U8(byte) = item {
                        Some(*byte)
                    } else {
                        None
                    }
                })
                .collect());
        }
        (Format::Auto, Val::String(text)) if bare => text.clone().into_bytes(),
        (Format::Json, _) => json(value)?.to_string().into_bytes(),
        _ => component_wave(value)?.into_bytes(),
    };
    bytes.push(b'\n');
    Ok(bytes)
}

/// A value as JSON.
///
/// Records are objects, tuples, lists and flags arrays, characters, enums and cases without a payload strings, a case with a payload
/// and a result an object with one key, `none` is null, and numbers JSON lacks (`nan`, `inf`) strings.
fn json(value: &Val) -> Result<Json, Error> {
    let all = |items: &[Val]| {
        items
            .iter()
            .map(json)
            .collect::<Result<Vec<_>, _>>()
            .map(Json::Array)
    };
    let payload = |value: &Option<Box<Val>>| value.as_deref().map_or(Ok(Json::Null), json);
    let keyed = |key: &str, value: Json| Json::Object(Map::from_iter([(key.to_owned(), value)]));
    Ok(match value {
        Val::Bool(value) => (*value).into(),
        Val::S8(value) => (*value).into(),
        Val::U8(value) => (*value).into(),
        Val::S16(value) => (*value).into(),
        Val::U16(value) => (*value).into(),
        Val::S32(value) => (*value).into(),
        Val::U32(value) => (*value).into(),
        Val::S64(value) => (*value).into(),
        Val::U64(value) => (*value).into(),
        // Through the shortest decimal that reads back as the same `f32`: 0.1, not 0.10000000149011612.
        Val::Float32(number) => float(
            number.to_string().parse().unwrap_or(f64::from(*number)),
            value,
        )?,
        Val::Float64(number) => float(*number, value)?,
        Val::Char(value) => value.to_string().into(),
        Val::String(value) | Val::Enum(value) => value.clone().into(),
        Val::List(items) | Val::FixedLengthList(items) | Val::Tuple(items) => all(items)?,
        Val::Flags(names) => names.clone().into(),
        Val::Record(fields) => Json::Object(
            fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), json(value)?)))
                .collect::<Result<_, Error>>()?,
        ),
        Val::Variant(case, None) => case.clone().into(),
        Val::Variant(case, some) => keyed(case, payload(some)?),
        Val::Option(some) => payload(some)?,
        Val::Result(Ok(ok)) => keyed("ok", payload(ok)?),
        Val::Result(Err(err)) => keyed("err", payload(err)?),
        Val::Map(entries) => Json::Array(
            entries
                .iter()
                .map(|(key, value)| Ok(Json::Array(vec![json(key)?, json(value)?])))
                .collect::<Result<_, Error>>()?,
        ),
        Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
            return Err(no_text_form());
        }
    })
}

fn float(number: f64, value: &Val) -> Result<Json, Error> {
    match serde_json::Number::from_f64(number) {
        Some(number) => Ok(Json::Number(number)),
        None => Ok(wave(value)?.into()),
    }
}

fn no_text_form() -> Error {
    Error::Unsupported(
        "the result holds a resource, which has no text form; call one of its methods: `--invoke 'name(…).method(…)'`".to_owned(),
    )
}
