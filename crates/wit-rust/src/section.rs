//! Reading the `wasmrust-wit` section, whose format the `wasm` crate defines in `abi::encode`.
//!
//! The section is untrusted: a module may come from anywhere. Every length is checked against what is left before it is used, nesting is
//! limited to [`MAX_DEPTH`], names must be WIT names, and shared types are shared in memory as well, so that memory stays
//! linear in the section's size.

use crate::error::Error;
use crate::model::{
    Direction, Function, Item, Kind, Member, Named, Place, Resource, ResourceName, Role, Ty,
};
use std::rc::Rc;

/// The section's name.
pub(crate) const NAME: &str = "wasmrust-wit";

const MAGIC: &[u8] = b"WRS1";
/// How deeply types may be nested; wit-parser and engines refuse deeper ones anyway.
const MAX_DEPTH: usize = 100;
/// The longest name: a generic type's name grows with its arguments.
const MAX_NAME: usize = 4096;

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    shared: Vec<Rc<Named>>,
}

/// All items of a section.
pub(crate) fn read(section: &[u8]) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let mut reader = Reader {
        bytes: section,
        offset: 0,
        shared: Vec::new(),
    };
    while reader.offset < section.len() {
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(reader.error("a record does not begin with its mark"));
        }
        let len = reader.number()?;
        let end = reader.offset + len;
        if end > section.len() {
            return Err(reader.error("a record is longer than the section"));
        }
        let mut record = Reader {
            bytes: &section[..end],
            offset: reader.offset,
            shared: Vec::new(),
        };
        items.push(record.item()?);
        if record.offset != end {
            return Err(record.error("a record is longer than its item"));
        }
        reader.offset = end;
    }
    Ok(items)
}

impl<'a> Reader<'a> {
    fn error(&self, reason: &'static str) -> Error {
        Error::Record {
            offset: self.offset,
            reason,
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let Some(taken) = self
            .bytes
            .get(self.offset..)
            .and_then(|rest| rest.get(..len))
        else {
            return Err(self.error("it ends too early"));
        };
        self.offset += len;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<usize, Error> {
        let bytes = self.take(4)?;
        let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        // Whatever is counted takes at least a byte each.
        if number > self.bytes.len() - self.offset {
            return Err(self.error("a length or count is too large"));
        }
        Ok(number)
    }

    /// An index, which counts nothing that follows.
    fn index(&mut self) -> Result<usize, Error> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn text(&mut self) -> Result<String, Error> {
        let len = self.number()?;
        let bytes = self.take(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.error("a text is not UTF-8")),
        }
    }

    fn name(&mut self) -> Result<String, Error> {
        let name = self.text()?;
        if is_name(&name) {
            Ok(name)
        } else {
            Err(self.error("a name is not a WIT name"))
        }
    }

    /// An interface's or package's id, or nothing.
    fn id(&mut self, is_interface: bool) -> Result<String, Error> {
        let id = self.text()?;
        let is_valid = match Id::parse(&id) {
            Some(id) => id.interface.is_some() == is_interface,
            None => id.is_empty() && is_interface,
        };
        if is_valid {
            Ok(id)
        } else {
            Err(self.error("an id is not one of an interface or package"))
        }
    }

    fn place(&mut self) -> Result<Place, Error> {
        let direction = match self.byte()? {
            0 => Direction::Import,
            1 => Direction::Export,
            _ => return Err(self.error("unknown direction")),
        };
        Ok(Place {
            direction,
            interface: self.id(true)?,
            package: self.id(false)?,
        })
    }

    fn item(&mut self) -> Result<Item, Error> {
        match self.byte()? {
            1 => {
                let place = self.place()?;
                let role = match self.byte()? {
                    0 => Role::Free,
                    1 => Role::Constructor,
                    2 => Role::Method,
                    3 => Role::Static,
                    _ => return Err(self.error("unknown role")),
                };
                let resource = if role == Role::Free {
                    self.text()?
                } else {
                    self.name()?
                };
                let (name, docs, origin) = (self.name()?, self.text()?, self.text()?);
                let count = self.number()?;
                let mut params = Vec::new();
                for _ in 0..count {
                    params.push((self.name()?, self.ty(0)?));
                }
                let result = self.ty(0)?;
                Ok(Item::Function(Function {
                    place,
                    role,
                    resource,
                    name,
                    docs,
                    origin,
                    params,
                    result,
                }))
            }
            2 => {
                let place = self.place()?;
                let (name, docs, origin) = (self.name()?, self.text()?, self.text()?);
                Ok(Item::Resource(Resource {
                    place,
                    name,
                    docs,
                    origin,
                }))
            }
            3 => Ok(Item::Docs(self.place()?, self.text()?)),
            _ => Err(self.error("unknown kind of item")),
        }
    }

    fn ty(&mut self, depth: usize) -> Result<Ty, Error> {
        const PRIMITIVES: [&str; 13] = [
            "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char",
            "string",
        ];
        if depth > MAX_DEPTH {
            return Err(self.error("types are nested too deeply"));
        }
        let tag = self.byte()?;
        if let Some(name) = PRIMITIVES.get(usize::from(tag)) {
            return Ok(Ty::Primitive(name));
        }
        Ok(match tag {
            13 => Ty::Unit,
            14 => Ty::List(Box::new(self.inner(depth)?)),
            15 => Ty::Option(Box::new(self.inner(depth)?)),
            16 => Ty::Result(Box::new(self.ty(depth + 1)?), Box::new(self.ty(depth + 1)?)),
            17 => {
                let count = self.number()?;
                if count == 0 {
                    return Err(self.error("a tuple is empty"));
                }
                Ty::Tuple(
                    (0..count)
                        .map(|_| self.inner(depth))
                        .collect::<Result<_, _>>()?,
                )
            }
            18 => Ty::Named(self.named(depth)?),
            19 => {
                let index = self.index()?;
                match self.shared.get(index) {
                    Some(named) => Ty::Named(Rc::clone(named)),
                    None => return Err(self.error("a type refers to one that was not defined")),
                }
            }
            20 => Ty::Own(self.resource()?),
            21 => Ty::Borrow(self.resource()?),
            _ => return Err(self.error("unknown type")),
        })
    }

    /// A type that must hold something.
    fn inner(&mut self, depth: usize) -> Result<Ty, Error> {
        match self.ty(depth + 1)? {
            Ty::Unit => Err(self.error("nothing where a type is needed")),
            ty => Ok(ty),
        }
    }

    fn resource(&mut self) -> Result<ResourceName, Error> {
        let exported = self.byte()? != 0;
        Ok(ResourceName {
            exported,
            interface: self.id(true)?,
            name: self.name()?,
        })
    }

    fn named(&mut self, depth: usize) -> Result<Rc<Named>, Error> {
        let kind = match self.byte()? {
            0 => Kind::Record,
            1 => Kind::Variant,
            2 => Kind::Enum,
            3 => Kind::Flags,
            _ => return Err(self.error("unknown kind of named type")),
        };
        let (mut name, module, docs) = (self.name()?, self.text()?, self.text()?);
        let arguments = self.number()?;
        for _ in 0..arguments {
            name.push('-');
            name.push_str(&self.ty(depth + 1)?.label());
            if name.len() > MAX_NAME {
                return Err(self.error("the name of a generic type is too long"));
            }
        }
        let count = self.number()?;
        if count == 0 {
            return Err(self.error("a named type is empty"));
        }
        let mut members = Vec::new();
        for _ in 0..count {
            let (name, docs) = (self.name()?, self.text()?);
            let ty = if self.byte()? == 0 {
                None
            } else {
                Some(self.inner(depth)?)
            };
            let is_valid = match kind {
                Kind::Record => ty.is_some(),
                Kind::Variant => true,
                Kind::Enum | Kind::Flags => ty.is_none(),
            };
            if !is_valid {
                return Err(self.error("a member does not fit its type"));
            }
            members.push(Member { name, docs, ty });
        }
        // A reference to an earlier type is short, however deep that type is.
        let inner = members
            .iter()
            .filter_map(|member| member.ty.as_ref())
            .map(Ty::depth)
            .max()
            .unwrap_or_default();
        if inner >= MAX_DEPTH {
            return Err(self.error("types are nested too deeply"));
        }
        let named = Rc::new(Named {
            depth: inner + 1,
            kind,
            name,
            module,
            docs,
            members,
        });
        if arguments == 0 {
            self.shared.push(Rc::clone(&named));
        }
        Ok(named)
    }
}

/// Whether `text` is a WIT name in lower case: words of letters and digits joined by hyphens, each beginning with a letter.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.split('-').all(|word| {
            let mut bytes = word.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_lowercase())
                && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// A package's or interface's id, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id<'a> {
    /// As in `acme:shop`.
    pub(crate) package: &'a str,
    /// As in `orders`.
    pub(crate) interface: Option<&'a str>,
    /// As in `1.0.0`.
    pub(crate) version: Option<&'a str>,
}

impl<'a> Id<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (path, version) = match text.split_once('@') {
            Some((path, version)) => (path, Some(version)),
            None => (text, None),
        };
        let (package, interface) = match path.split_once('/') {
            Some((package, interface)) => (package, Some(interface)),
            None => (path, None),
        };
        let (namespace, name) = package.split_once(':')?;
        let is_version = version.is_none_or(|version| {
            !version.is_empty()
                && version
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
        });
        (is_name(namespace) && is_name(name) && interface.is_none_or(is_name) && is_version)
            .then_some(Self {
                package,
                interface,
                version,
            })
    }

    /// The id of the package alone.
    pub(crate) fn package_id(self) -> String {
        match self.version {
            Some(version) => format!("{}@{version}", self.package),
            None => self.package.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_apart() {
        let id = Id::parse("acme:shop/orders@1.0.0-rc.1").unwrap();
        assert_eq!(
            (id.package, id.interface, id.version),
            ("acme:shop", Some("orders"), Some("1.0.0-rc.1"))
        );
        assert_eq!(id.package_id(), "acme:shop@1.0.0-rc.1");
        for bad in [
            "", "acme", "a:b/", "a:b/C", "a:b@", "a:b@1;", "a:b/c/d", "a:-b",
        ] {
            assert!(Id::parse(bad).is_none(), "{bad}");
        }
    }
}
