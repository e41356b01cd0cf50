//! Tables within a page of the documentation.
//!
//! A section stands between `<!-- NAME -->` and `<!-- /NAME -->`; writing replaces what is between, adds sections the page lacks, and
//! touches nothing else.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

/// Replaces the page at `path` by what `change` makes of it.
pub(crate) fn update(path: &Path, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let page =
        fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let page = change(&page)?;
    wasm_toolchain::write_whole(path, page.as_bytes())
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// The page with the section `name` replaced, or added at the end.
pub(crate) fn replace(page: &str, name: &str, text: &str) -> Result<String> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    match (page.find(&open), page.find(&close)) {
        (Some(start), Some(end)) if start + open.len() <= end => {
            Ok(format!("{}{open}\n{text}{}", &page[..start], &page[end..]))
        }
        (None, None) => Ok(format!("{}\n\n{open}\n{text}{close}\n", page.trim_end())),
        _ => bail!("the marks of the section `{name}` do not match in the page"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_replaced_in_place() {
        let page = replace("# Page\n", "a", "one\n").unwrap();
        assert_eq!(page, "# Page\n\n<!-- a -->\none\n<!-- /a -->\n");
        let page = replace(&page, "b", "two\n").unwrap();
        let page = replace(&page, "a", "three\n").unwrap();
        assert_eq!(
            page,
            "# Page\n\n<!-- a -->\nthree\n<!-- /a -->\n\n<!-- b -->\ntwo\n<!-- /b -->\n"
        );
        assert!(replace("<!-- /a --> <!-- a -->", "a", "").is_err());
        assert!(replace("<!-- a -->", "a", "").is_err());
    }
}
