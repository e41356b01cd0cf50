//! Reading the custom section out of whole modules.

use wasm_memory::MemoryError;
use wasm_memory::message::{Codec, SECTION, in_module, parse_section};

fn module(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (id, body) in sections {
        bytes.extend([*id, body.len() as u8]);
        bytes.extend_from_slice(body);
    }
    bytes
}

fn listed(text: &str) -> Vec<u8> {
    [&[SECTION.len() as u8], SECTION.as_bytes(), text.as_bytes()].concat()
}

#[test]
fn sections_are_found_among_others_and_joined() {
    let (first, second) = (listed("a=json\n"), listed("b=raw\n"));
    let wasm = module(&[(0, b"\x04nameabc"), (0, &first), (1, b"\0"), (0, &second)]);
    let expected = [("a".into(), Codec::Json), ("b".into(), Codec::Raw)];
    assert_eq!(in_module(&wasm), Ok(expected.into()));
}

#[test]
fn every_cut_of_a_module_is_an_error_or_a_list() {
    let section = listed("a=json\nb=msgpack\n");
    let wasm = module(&[(0, &section)]);
    for cut in 9..wasm.len() {
        assert!(
            matches!(in_module(&wasm[..cut]), Err(MemoryError::BadMessage { .. })),
            "cut at {cut}"
        );
    }
    assert_eq!(in_module(b""), Ok(Vec::new()), "no module lists nothing");
}

#[test]
fn malformed_sections_name_the_line() {
    for (text, offset) in [
        ("a\n", 0),
        ("a=json\n=json\n", 7),
        ("a=json\na=raw\n", 7),
        ("a=json\nb=yaml\n", 7),
        ("a=json\n\n", 7),
    ] {
        match parse_section(text.as_bytes()) {
            Err(MemoryError::BadMessage { offset: found, .. }) => {
                assert_eq!(found, offset, "{text:?}")
            }
            other => panic!("{text:?} answered {other:?}"),
        }
    }
    assert!(matches!(
        parse_section(b"a=json\n\xff"),
        Err(MemoryError::BadMessage { offset: 7, .. })
    ));
    assert_eq!(
        parse_section(b"a=json"),
        Ok(vec![("a".into(), Codec::Json)]),
        "the last line may be open"
    );
}

#[test]
fn numbers_that_are_too_long_are_refused() {
    for number in [
        &[0x80; 6][..],
        &[0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
        let wasm = [&b"\0asm\x01\0\0\0\0"[..], number].concat();
        assert!(
            matches!(in_module(&wasm), Err(MemoryError::BadMessage { .. })),
            "{number:?}"
        );
    }
}
