//! Splits text into tokens that know their line and column.

use super::parser::ParseError;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tok {
    /// A keyword, an operator or a numbered entity: `func`, `i32.add`, `l3`.
    Word(String),
    /// A symbol: `%name` or `%"any text"`.
    Name(String),
    /// A string of bytes.
    Str(Vec<u8>),
    /// A number; the flag says negative.
    Int(bool, u128),
    /// Any other character.
    Punct(char),
    /// The end of the input.
    End,
}

/// A token and where it starts.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) tok: Tok,
    pub(super) line: u32,
    pub(super) col: u32,
}

/// Characters of a `%name` that needs no quotes.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | ':' | '<' | '>' | '-' | '#' | '/')
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    line: u32,
    line_start: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.pos..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.line_start = self.pos;
        }
        Some(c)
    }

    fn col(&self) -> u32 {
        self.text[self.line_start..self.pos].chars().count() as u32 + 1
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError {
            line: self.line,
            col: self.col(),
            message: message.into(),
        }
    }

    fn take_while(&mut self, f: impl Fn(char) -> bool) -> &str {
        let start = self.pos;
        while self.peek().is_some_and(&f) {
            self.bump();
        }
        &self.text[start..self.pos]
    }

    fn string(&mut self) -> Result<Vec<u8>, ParseError> {
        let mut bytes = Vec::new();
        self.bump();
        loop {
            match self.peek() {
                None | Some('\n') => return Err(self.error("unterminated string")),
                Some('"') => {
                    self.bump();
                    return Ok(bytes);
                }
                Some('\\') => {
                    let (line, col) = (self.line, self.col());
                    self.bump();
                    let mut digit = || self.bump().and_then(|c| c.to_digit(16));
                    let (Some(high), Some(low)) = (digit(), digit()) else {
                        let message = "`\\` must be followed by two hexadecimal digits".into();
                        return Err(ParseError { line, col, message });
                    };
                    bytes.push((high * 16 + low) as u8);
                }
                Some(c) => {
                    self.bump();
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }

    fn number(&mut self, negative: bool) -> Result<Tok, ParseError> {
        let (line, col) = (self.line, self.col());
        let digits = self
            .take_while(|c| c.is_ascii_alphanumeric() || c == '_')
            .replace('_', "");
        let value = match digits.strip_prefix("0x") {
            Some(hex) => u128::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        match value {
            Ok(value) => Ok(Tok::Int(negative, value)),
            Err(_) => {
                let message = format!("`{digits}` is not a number of at most 128 bits");
                Err(ParseError { line, col, message })
            }
        }
    }

    fn token(&mut self) -> Result<Token, ParseError> {
        while let Some(c) = self.peek() {
            if c == ';' {
                self.take_while(|c| c != '\n');
            } else if c.is_whitespace() {
                self.bump();
            } else {
                break;
            }
        }
        let (line, col) = (self.line, self.col());
        let tok = match self.peek() {
            None => Tok::End,
            Some('"') => Tok::Str(self.string()?),
            Some('%') => {
                self.bump();
                if self.peek() == Some('"') {
                    let bytes = self.string()?;
                    let name = String::from_utf8(bytes);
                    Tok::Name(name.map_err(|_| self.error("a name must be UTF-8"))?)
                } else {
                    let name = self.take_while(is_name_char).to_owned();
                    if name.is_empty() {
                        return Err(self.error("expected a name after `%`"));
                    }
                    Tok::Name(name)
                }
            }
            Some('-') => {
                self.bump();
                if self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    self.number(true)?
                } else {
                    Tok::Punct('-')
                }
            }
            Some(c) if c.is_ascii_digit() => self.number(false)?,
            Some(c) if is_word_char(c) => Tok::Word(self.take_while(is_word_char).to_owned()),
            Some(c) => {
                self.bump();
                Tok::Punct(c)
            }
        };
        Ok(Token { tok, line, col })
    }
}

/// All tokens of `text`, the last one [`Tok::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer {
        text,
        pos: 0,
        line: 1,
        line_start: 0,
    };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        let end = token.tok == Tok::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}
