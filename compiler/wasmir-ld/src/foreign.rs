//! The symbols of objects that hold machine code of their own: C's, LLVM's, wasi-libc's.
//!
//! Only what linking WasmIR needs to know of them: which names they define and which they want. The format is that of the
//! tool conventions, `Linking.md`: a symbol table in the section `linking`, in which an imported entity has its import's name
//! unless it says otherwise.

use crate::envelope::for_each_section;
use wasmir::leb::{self, Reader};

/// What an object says of names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Symbols {
    /// Names it defines for others.
    pub(crate) defined: Vec<String>,
    /// Names it cannot do without.
    pub(crate) undefined: Vec<String>,
    /// Names it takes if they are there.
    pub(crate) wanted: Vec<String>,
}

const WEAK: u32 = 0x1;
const LOCAL: u32 = 0x2;
const UNDEFINED: u32 = 0x10;
const EXPLICIT_NAME: u32 = 0x40;

/// Reads the symbols of an object. What cannot be read has none: `wasm-ld` will say what is wrong with it.
pub(crate) fn symbols(object: &[u8]) -> Symbols {
    read(object).unwrap_or_default()
}

fn read(object: &[u8]) -> Option<Symbols> {
    let (mut imports, mut linking) = (None, None);
    for_each_section(object, |id, name, range| match (id, name) {
        (2, _) => imports = Some(range),
        (0, b"linking") => linking = Some(range),
        _ => {}
    })?;
    let imports = match imports {
        Some(range) => read_imports(&object[range]).ok()?,
        None => Imports::default(),
    };
    let mut out = Symbols::default();
    let mut linking = Reader::new(&object[linking?]);
    let _version = linking.u32().ok()?;
    while !linking.at_end() {
        let kind = linking.u8().ok()?;
        let len = linking.u32().ok()?;
        let contents = linking.take(len as usize).ok()?;
        if kind == 8 {
            table(&mut Reader::new(contents), &imports, &mut out).ok()?;
        }
    }
    Some(out)
}

/// The names of imports by kind: function, table, memory, global, tag.
type Imports<'a> = [Vec<&'a [u8]>; 5];

fn read_imports(section: &[u8]) -> leb::Result<Imports<'_>> {
    let mut imports = Imports::default();
    let mut reader = Reader::new(section);
    for _ in 0..reader.u32()? {
        let (_module, name) = (reader.name()?, reader.name()?);
        let kind = reader.u8()?;
        match kind {
            0 => drop(reader.u32()?),
            1 => {
                value_type(&mut reader)?;
                limits(&mut reader)?;
            }
            2 => limits(&mut reader)?,
            3 => {
                value_type(&mut reader)?;
                reader.u8()?;
            }
            4 => {
                reader.u8()?;
                reader.u32()?;
            }
            _ => return Err(reader.error("a kind of import")),
        }
        imports[usize::from(kind)].push(name);
    }
    Ok(imports)
}

fn value_type(reader: &mut Reader<'_>) -> leb::Result<()> {
    // `ref` and `ref null` have a heap type after them.
    if matches!(reader.u8()?, 0x63 | 0x64) {
        reader.s33()?;
    }
    Ok(())
}

fn limits(reader: &mut Reader<'_>) -> leb::Result<()> {
    let flags = reader.u32()?;
    reader.u64()?;
    if flags & 1 != 0 {
        reader.u64()?;
    }
    if flags & 8 != 0 {
        reader.u32()?;
    }
    Ok(())
}

fn table(reader: &mut Reader<'_>, imports: &Imports<'_>, out: &mut Symbols) -> leb::Result<()> {
    for _ in 0..reader.u32()? {
        let kind = reader.u8()?;
        let flags = reader.u32()?;
        let undefined = flags & UNDEFINED != 0;
        let name: &[u8] = match kind {
            0 | 2 | 4 | 5 => {
                let index = reader.u32()? as usize;
                if !undefined || flags & EXPLICIT_NAME != 0 {
                    reader.name()?
                } else {
                    let space = match kind {
                        0 => 0,
                        2 => 3,
                        4 => 4,
                        _ => 1,
                    };
                    let named = imports[space].get(index);
                    named.ok_or(reader.error("the number of an import"))?
                }
            }
            1 => {
                let name = reader.name()?;
                if !undefined {
                    reader.u32()?;
                    reader.u64()?;
                    reader.u64()?;
                }
                name
            }
            3 => {
                reader.u32()?;
                continue;
            }
            _ => return Err(reader.error("a kind of symbol")),
        };
        if flags & LOCAL != 0 {
            continue;
        }
        let list = match (undefined, flags & WEAK != 0) {
            (false, _) => &mut out.defined,
            (true, false) => &mut out.undefined,
            (true, true) => &mut out.wanted,
        };
        list.push(String::from_utf8_lossy(name).into_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_own_objects_say_is_read_back() {
        let text = r#"wasmir 1
            relocatable
            type type0 = func() -> ()
            func %needed type0 undefined
            func %perhaps type0 undefined_weak
            func %own type0 {
            b0:
              return
            }
            func %shared type0 weak {
            b0:
              call %needed()
              call %perhaps()
              call %own()
              return
            }
            data %table strong symbol ".rodata.table" align 4 size 4 "abcd"
        "#;
        let module = wasmir::parse_module(text).unwrap_or_else(|error| panic!("{error}"));
        let object = codegen_cranelift::emit_object(module, &Default::default()).unwrap();
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let found = symbols(&object);
        assert_eq!(found.defined, names(&["shared", "table"]));
        assert_eq!(found.undefined, names(&["needed"]));
        assert_eq!(found.wanted, names(&["perhaps"]));
        for len in 0..object.len() {
            // No panic, whatever is missing.
            symbols(&object[..len]);
        }
    }
}
