//! What a rule may be, by its form.

use std::collections::BTreeSet;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::{ParseErrors, Program};
use kanhe_proto::limits::RULE_BYTES_MAX;

use super::functions;
use super::scope::Scope;

/// Most elements of a list.
pub const RULE_LIST_MAX: usize = 256;
/// Most comprehensions one inside another.
pub const RULE_LOOPS_MAX: usize = 2;
/// Deepest expression.
pub const RULE_DEPTH_MAX: usize = 64;

const OPERATORS: [&str; 17] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT, // typos:ignore
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
];
/// What the macros are made of.
const INNER: [&str; 2] = [operators::IN, operators::NOT_STRICTLY_FALSE];
const FUNCTIONS: [&str; 6] = ["contains", "endsWith", "int", "size", "startsWith", "string"];

/// What is wrong with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleFaultKind {
    /// Not CEL.
    Syntax,
    /// Longer than a rule may be.
    Length,
    /// Deeper than a rule may be.
    Depth,
    /// A number with a fraction: never the same twice.
    Double,
    /// A literal of another kind that rules do without: bytes, unsigned numbers, maps, structures.
    Literal,
    /// A function that is not allowed.
    Function,
    /// Too many comprehensions one inside another.
    Loops,
    /// A list that is too long.
    List,
    /// Nothing has this name here.
    Name,
}

impl RuleFaultKind {
    /// The stable name of the fault.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "rule_syntax",
            Self::Length => "rule_length",
            Self::Depth => "rule_depth",
            Self::Double => "rule_double",
            Self::Literal => "rule_literal",
            Self::Function => "rule_function",
            Self::Loops => "rule_loops",
            Self::List => "rule_list",
            Self::Name => "rule_name",
        }
    }
}

/// A fault of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// What.
    pub kind: RuleFaultKind,
    /// Where in the text, in characters from 0; nothing: the whole.
    pub at: Option<usize>,
    /// The name or literal that it is about.
    pub name: String,
    /// What could be said instead.
    pub instead: Vec<String>,
}

/// Everything that is wrong with a rule by its form. Without a scope, names are not looked at.
pub fn check(text: &str, scope: Option<&Scope>) -> Vec<RuleFault> {
    let alone = |kind, name: &str| vec![RuleFault { kind, at: None, name: name.to_owned(), instead: Vec::new() }];
    if text.len() > RULE_BYTES_MAX {
        return alone(RuleFaultKind::Length, &text.len().to_string());
    }
    match parse(text) {
        Ok(program) => {
            let mut check = Check { source: program.source_info(), scope, bound: Vec::new(), found: Vec::new() };
            check.expr(program.expression(), 0, 0);
            check.found
        }
        Err(None) => alone(RuleFaultKind::Depth, ""),
        Err(Some(errors)) => errors.errors.iter().take(3).map(|error| syntax(text, error)).collect(),
    }
}

/// Parses a rule; too deep brackets are refused before a parser goes down them.
pub(super) fn parse(text: &str) -> Result<Program, Option<ParseErrors>> {
    let mut depth = 0usize;
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > RULE_DEPTH_MAX {
            return Err(None);
        }
    }
    Program::compile(text).map_err(Some)
}

fn syntax(text: &str, error: &cel::ParseError) -> RuleFault {
    let (line, column) = error.pos;
    let before: usize =
        text.lines().take(usize::try_from(line - 1).unwrap_or(0)).map(|line| line.chars().count() + 1).sum();
    let at = before + usize::try_from(column).unwrap_or(0).saturating_sub(1);
    let message = error.msg.lines().next().unwrap_or_default().to_owned();
    RuleFault { kind: RuleFaultKind::Syntax, at: Some(at), name: message, instead: Vec::new() }
}

struct Check<'a> {
    source: &'a SourceInfo,
    scope: Option<&'a Scope>,
    /// Variables of the comprehensions around.
    bound: Vec<String>,
    found: Vec<RuleFault>,
}

impl Check<'_> {
    fn fault(&mut self, kind: RuleFaultKind, at: u64, name: &str, instead: Vec<String>) {
        let at = self.source.offset_for(at).map(|(start, _)| start as usize);
        let fault = RuleFault { kind, at, name: name.to_owned(), instead };
        if !self.found.contains(&fault) {
            self.found.push(fault);
        }
    }

    fn expr(&mut self, expr: &IdedExpr, depth: usize, loops: usize) {
        // Each macro puts a few levels around what is written.
        if depth > 4 * RULE_DEPTH_MAX {
            return self.fault(RuleFaultKind::Depth, expr.id, "", Vec::new());
        }
        let below = |check: &mut Self, inner: &IdedExpr| check.expr(inner, depth + 1, loops);
        match &expr.expr {
            Expr::Literal(literal) => self.literal(literal, expr.id),
            Expr::Ident(name) => self.names(&[name], expr.id),
            Expr::Select(select) => match chain(expr) {
                Some(names) => self.names(&names, expr.id),
                None => below(self, &select.operand),
            },
            Expr::Call(call) => {
                self.function(&call.func_name, expr.id);
                call.target.iter().for_each(|target| below(self, target));
                call.args.iter().for_each(|argument| below(self, argument));
            }
            Expr::List(list) => {
                if list.elements.len() > RULE_LIST_MAX {
                    self.fault(RuleFaultKind::List, expr.id, &list.elements.len().to_string(), Vec::new());
                }
                list.elements.iter().for_each(|element| below(self, element));
            }
            Expr::Comprehension(inner) => {
                if loops == RULE_LOOPS_MAX {
                    return self.fault(RuleFaultKind::Loops, expr.id, "", Vec::new());
                }
                below(self, &inner.iter_range);
                let before = self.bound.len();
                self.bound.push(inner.iter_var.clone());
                self.bound.extend(inner.iter_var2.clone());
                self.bound.push(inner.accu_var.clone());
                for part in [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result] {
                    self.expr(part, depth + 1, loops + 1);
                }
                self.bound.truncate(before);
            }
            Expr::Map(_) => self.fault(RuleFaultKind::Literal, expr.id, "{…}", Vec::new()),
            Expr::Struct(inner) => self.fault(RuleFaultKind::Literal, expr.id, &inner.type_name, Vec::new()),
            Expr::Unspecified => self.fault(RuleFaultKind::Syntax, expr.id, "", Vec::new()),
        }
    }

    fn literal(&mut self, literal: &LiteralValue, at: u64) {
        match literal {
            LiteralValue::Double(double) => {
                self.fault(RuleFaultKind::Double, at, &double.inner().to_string(), Vec::new());
            }
            LiteralValue::Bytes(_) => self.fault(RuleFaultKind::Literal, at, "b\"…\"", Vec::new()),
            LiteralValue::UInt(number) => {
                self.fault(RuleFaultKind::Literal, at, &format!("{}u", number.inner()), Vec::new());
            }
            _ => {}
        }
    }

    fn function(&mut self, name: &str, at: u64) {
        let own = functions::NAMES.contains(&name) || FUNCTIONS.contains(&name);
        if own || OPERATORS.contains(&name) || INNER.contains(&name) {
            return;
        }
        let kind = if name == "double" { RuleFaultKind::Double } else { RuleFaultKind::Function };
        let known: BTreeSet<&str> = FUNCTIONS.into_iter().chain(functions::NAMES).collect();
        let macros = ["all", "exists", "exists_one", "filter", "has", "map"];
        let instead = known.into_iter().chain(macros).map(str::to_owned).collect();
        self.fault(kind, at, name, instead);
    }

    fn names(&mut self, names: &[&str], at: u64) {
        if self.bound.iter().any(|bound| bound == names[0]) {
            return;
        }
        if let Some(scope) = self.scope
            && let Err(wrong) = scope.look_up(names)
        {
            self.fault(RuleFaultKind::Name, at, &wrong.name, wrong.instead);
        }
    }
}

/// `a.b.c` as its names, the tested one of `has` too.
fn chain(expr: &IdedExpr) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut expr = expr;
    loop {
        match &expr.expr {
            Expr::Ident(name) => {
                names.push(name.as_str());
                names.reverse();
                return Some(names);
            }
            Expr::Select(select) => {
                names.push(select.field.as_str());
                expr = &select.operand;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<RuleFaultKind> {
        check(text, None).into_iter().map(|fault| fault.kind).collect()
    }

    #[test]
    fn what_rules_need_is_allowed() {
        for text in [
            "given.a.B == 'x' && !has(given.c)",
            "size(given.l) <= 256 && given.l.exists_one(x, x == 1)",
            "given.l.filter(x, x > 1).map(x, x * 2).all(x, x in [2, 4])",
            "given.l.all(x, given.l.exists(y, y == x))",
            "cents(form.a) + 1 > -3 ? days('2026-01-01', case.opened) > 0 : years(form.b, form.c) % 2 == 0",
            "given.t.startsWith('a') || given.t.endsWith('b') || given.t.contains(string(int('3')))",
        ] {
            assert_eq!(check(text, None), [], "{text}");
        }
    }

    #[test]
    fn what_could_differ_or_last_is_refused() {
        use RuleFaultKind::*;
        assert_eq!(kinds("1.5 > 0"), [Double]);
        assert_eq!(kinds("double('1') > 0"), [Double]);
        for call in ["now()", "timestamp('x')", "duration('1s')", "given.a.matches('a+')", "given.a.getHours()"] {
            assert_eq!(kinds(&format!("{call} == given.b")), [Function], "{call}");
        }
        for call in ["type(1)", "bytes('a')", "uint(1)", "dyn(1)", "optional.none()"] {
            assert!(kinds(&format!("{call} == given.b")).contains(&Function), "{call}");
        }
        assert_eq!(kinds("{'a': 1}.a == 1"), [Literal]);
        assert_eq!(kinds("b'a' == given.a"), [Literal]);
        assert_eq!(kinds("1u == given.a"), [Literal]);
        assert_eq!(kinds("given.l.all(x, given.l.all(y, given.l.all(z, true)))"), [Loops]);
        assert_eq!(kinds("given.l.map(x, given.l.map(y, given.l.filter(z, true)))"), [Loops]);
        let list = |count: usize| format!("1 in [{}]", vec!["1"; count].join(","));
        assert_eq!((kinds(&list(256)), kinds(&list(257))), (vec![], vec![List]));
    }

    #[test]
    fn hostile_texts_end() {
        for text in ["", "(", "a ==", "\u{0}", "'\u{202e}", "a b", "1 +", "has(", "[[[[", ")))", "`a`", "a.?b"] {
            assert!(!check(text, None).is_empty(), "{text:?}");
        }
        let deep = |count: usize| format!("{}1{} == 1", "(".repeat(count), ")".repeat(count));
        assert_eq!(kinds(&deep(RULE_DEPTH_MAX + 1)), [RuleFaultKind::Depth]);
        assert!(!kinds(&"!".repeat(2_000)).is_empty() && !kinds(&"-".repeat(2_000)).is_empty());
        let long = format!("{}1 == 1", "1 + ".repeat(500));
        assert!(kinds(&long).contains(&RuleFaultKind::Depth), "{:?}", kinds(&long));
        assert_eq!(kinds(&"a".repeat(RULE_BYTES_MAX + 1)), [RuleFaultKind::Length]);
        // Whatever is cut or turned: an answer, never a fall.
        let good = "given.l.filter(x, x > 1).map(x, x * 2).all(x, x in [2, 4]) && size('é') == 1";
        for end in (0..good.len()).filter(|end| good.is_char_boundary(*end)) {
            let _ = check(&good[..end], None);
            let _ = check(&good[end..], None);
        }
    }
}
