//! Comparison of the answers, tables, and their place in the documentation.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use anyhow::Result;
use serde::Serialize;

use super::{Answer, Case, Verdict};
use crate::page;

/// The largest share of tests that may be exceptions: one in two hundred.
const MOST_EXCEPTIONS: usize = 200;

/// The results of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of both compilers.
    pub compiler: String,
    /// One per suite.
    pub suites: Vec<SuiteReport>,
}

/// The results of a suite.
#[derive(Debug, Serialize)]
pub struct SuiteReport {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// One per case.
    pub cases: Vec<CaseReport>,
}

/// What the two answers to a case come to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    /// The case.
    pub name: String,
    /// Of which version.
    pub version: String,
    /// How many tests pass with LLVM.
    pub llvm: usize,
    /// How many of them pass with ours.
    pub ours: usize,
    /// How many tests LLVM's program leaves out.
    pub ignored: usize,
    /// How many tests fail with LLVM: they show nothing.
    pub failed: usize,
    /// Tests that pass with LLVM only, exceptions with their reasons.
    pub exceptions: BTreeMap<String, String>,
    /// Tests that pass with LLVM only, without a reason; or what else is wrong.
    pub wrong: Vec<String>,
}

impl CaseReport {
    /// Compares; `reasons` are the exceptions of the case. If `is_own`, LLVM has to pass every test.
    pub(super) fn compare(
        case: &Case,
        is_own: bool,
        llvm: &Answer,
        ours: &Answer,
        reasons: &BTreeMap<String, String>,
    ) -> CaseReport {
        let mut report = CaseReport {
            name: case.name.clone(),
            version: case.version.clone(),
            ..CaseReport::default()
        };
        let (llvm, ours) = match (llvm, ours) {
            (Answer::Tests(llvm), Answer::Tests(ours)) => (llvm, ours),
            (Answer::NotCompiled(words), _) => {
                report
                    .wrong
                    .push(format!("does not compile with LLVM:\n{words}"));
                return report;
            }
            (_, Answer::NotCompiled(words)) => {
                report.wrong.push(format!("does not compile:\n{words}"));
                return report;
            }
        };
        let count = |verdict| llvm.values().filter(|&&v| v == verdict).count();
        report.llvm = count(Verdict::Passed);
        report.ignored = count(Verdict::Ignored);
        report.failed = count(Verdict::Failed);
        if is_own && report.failed > 0 {
            report
                .wrong
                .push(format!("{} tests fail with LLVM", report.failed));
        }
        for (name, _) in llvm
            .iter()
            .filter(|(_, verdict)| **verdict == Verdict::Passed)
        {
            match (ours.get(name), reasons.get(name)) {
                (Some(Verdict::Passed), None) => report.ours += 1,
                (Some(Verdict::Passed), Some(_)) => {
                    report.ours += 1;
                    report
                        .wrong
                        .push(format!("{name}: an exception, but it passes"));
                }
                (_, Some(reason)) => {
                    report.exceptions.insert(name.clone(), reason.clone());
                }
                (_, None) => report.wrong.push(name.clone()),
            }
        }
        for name in reasons
            .keys()
            .filter(|name| llvm.get(*name) != Some(&Verdict::Passed))
        {
            report.wrong.push(format!(
                "{name}: an exception, but no test that LLVM passes"
            ));
        }
        if report.llvm == 0 {
            report
                .wrong
                .push("no test passes with LLVM: the case shows nothing".to_owned());
        }
        report
    }

    /// In a few words.
    pub(super) fn summary(&self) -> String {
        let (llvm, ours, wrong) = (self.llvm, self.ours, self.wrong.len());
        match wrong {
            0 => format!("{ours} of {llvm}"),
            _ => format!("{ours} of {llvm}, {wrong} WRONG"),
        }
    }
}

impl SuiteReport {
    fn holds(&self) -> bool {
        let passed: usize = self.cases.iter().map(|case| case.llvm).sum();
        let exceptions: usize = self.cases.iter().map(|case| case.exceptions.len()).sum();
        self.cases.iter().all(|case| case.wrong.is_empty())
            && exceptions * MOST_EXCEPTIONS <= passed
    }

    fn markdown(&self, compiler: &str) -> String {
        let mut out = format!(
            "### `{}`\n\n{}\n\n| case | version | pass with LLVM | of these with ours | left out | fail with LLVM | exceptions |\n\
             |---|---|---|---|---|---|---|\n",
            self.name, self.about
        );
        let mut row = |name: &str, version: &str, numbers: [usize; 5]| {
            let [llvm, ours, ignored, failed, exceptions] = numbers;
            let _ = writeln!(
                out,
                "| {name} | {version} | {llvm} | {ours} | {ignored} | {failed} | {exceptions} |"
            );
        };
        let mut total = [0; 5];
        // Cases by the hundred are told by their sum.
        let each = self.cases.len() <= 60;
        for case in &self.cases {
            let numbers = [
                case.llvm,
                case.ours,
                case.ignored,
                case.failed,
                case.exceptions.len(),
            ];
            total
                .iter_mut()
                .zip(numbers)
                .for_each(|(sum, number)| *sum += number);
            if each {
                row(&case.name, &case.version, numbers);
            }
        }
        if self.cases.len() > 1 {
            row(&format!("all {}", self.cases.len()), "", total);
        }
        let exceptions = self.cases.iter().flat_map(|case| &case.exceptions);
        for (name, reason) in exceptions {
            let _ = writeln!(out, "\nException: `{name}`: {reason}.");
        }
        let _ = writeln!(out, "\n{compiler}, {}.", super::tools::TARGET);
        out
    }
}

impl Report {
    /// Whether every suite keeps to the rule.
    pub fn holds(&self) -> bool {
        self.suites.iter().all(SuiteReport::holds)
    }

    /// All tables.
    pub fn markdown(&self) -> String {
        let tables: Vec<String> = self
            .suites
            .iter()
            .map(|suite| suite.markdown(&self.compiler))
            .collect();
        tables.join("\n")
    }

    /// What is wrong, a line or more for each.
    pub fn complaints(&self) -> Vec<String> {
        let cases = self
            .suites
            .iter()
            .flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)));
        cases
            .flat_map(|(suite, case)| {
                case.wrong
                    .iter()
                    .map(move |what| format!("{} {}: {what}", suite.name, case.name))
            })
            .collect()
    }

    /// Puts the tables into the page at `path`.
    pub fn write(&self, path: &Path) -> Result<()> {
        page::update(path, |page| {
            self.suites.iter().try_fold(page.to_owned(), |page, suite| {
                page::replace(
                    &page,
                    &format!("conformance:{}", suite.name),
                    &suite.markdown(&self.compiler),
                )
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(tests: &[(&str, Verdict)]) -> Answer {
        Answer::Tests(
            tests
                .iter()
                .map(|&(name, verdict)| (name.to_owned(), verdict))
                .collect(),
        )
    }

    fn compare(llvm: &Answer, ours: &Answer, reasons: &[(&str, &str)]) -> CaseReport {
        let case = Case {
            name: "case".into(),
            version: "1".into(),
            key: String::new(),
        };
        let reasons = reasons
            .iter()
            .map(|&(a, b)| (a.to_owned(), b.to_owned()))
            .collect();
        CaseReport::compare(&case, false, llvm, ours, &reasons)
    }

    #[test]
    fn what_passes_with_llvm_has_to_pass() {
        use Verdict::*;
        let llvm = answer(&[
            ("a", Passed),
            ("b", Passed),
            ("c", Failed),
            ("d", Ignored),
            ("e", Passed),
        ]);
        // `e` is missing: a test that was not compiled has not passed.
        let ours = answer(&[("a", Passed), ("b", Failed), ("c", Passed), ("d", Failed)]);
        let report = compare(&llvm, &ours, &[]);
        assert_eq!(
            (report.llvm, report.ours, report.failed, report.ignored),
            (3, 1, 1, 1)
        );
        assert_eq!(report.wrong, ["b", "e"]);
        let report = compare(&llvm, &ours, &[("b", "why"), ("e", "why")]);
        assert!(report.wrong.is_empty());
        assert_eq!(report.exceptions.len(), 2);
    }

    #[test]
    fn an_exception_must_be_needed() {
        use Verdict::*;
        let llvm = answer(&[("a", Passed), ("b", Failed)]);
        assert_eq!(compare(&llvm, &llvm, &[("a", "why")]).wrong.len(), 1);
        assert_eq!(compare(&llvm, &llvm, &[("b", "why")]).wrong.len(), 1);
        assert_eq!(compare(&llvm, &llvm, &[("none", "why")]).wrong.len(), 1);
    }

    #[test]
    fn our_own_tests_have_to_pass_with_llvm() {
        let case = Case {
            name: "case".into(),
            version: String::new(),
            key: String::new(),
        };
        let answer = answer(&[("a", Verdict::Passed), ("b", Verdict::Failed)]);
        let wrong = |is_own| {
            CaseReport::compare(&case, is_own, &answer, &answer, &BTreeMap::new())
                .wrong
                .len()
        };
        assert_eq!((wrong(false), wrong(true)), (0, 1));
    }

    #[test]
    fn a_case_without_tests_shows_nothing() {
        assert_eq!(compare(&answer(&[]), &answer(&[]), &[]).wrong.len(), 1);
        let refused = Answer::NotCompiled("no".into());
        assert_eq!(compare(&refused, &answer(&[]), &[]).wrong.len(), 1);
        assert_eq!(compare(&answer(&[]), &refused, &[]).wrong.len(), 1);
    }
}
