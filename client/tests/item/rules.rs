//! Rules in their process: bounded, killed, the same again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kanhe_client::rules::{Answer, Holds, Job, Made, Runner, RunnerError, Salts, Source, TIME_LIMIT, run_of};
use serde_json::{Value, json};

fn runner() -> Runner {
    // Of a slow machine, since only what never ends is to be stopped here.
    Runner::of(PathBuf::from(env!("CARGO_BIN_EXE_kanhe")), 20 * TIME_LIMIT)
}

fn job(rules: &[&str], values: &[&str], input: &Value) -> Job {
    let source = |cel: &&str| Source { name: "r".to_owned(), cel: (*cel).to_owned() };
    Job {
        rules: rules.iter().map(source).collect(),
        values: values.iter().map(source).collect(),
        input: input.as_object().unwrap().clone(),
    }
}

fn run(rules: &[&str], values: &[&str], input: &Value) -> Answer {
    runner().run(&job(rules, values, input)).unwrap()
}

#[test]
fn rules_and_values_are_found() {
    let input = json!({
        "given": {"identity": {"CZZT": "张示例", "KZ_CSRQ": "1949-12-31"}, "parents": ["a", "b"]},
        "form": {"amount": "12.50", "homes": 1},
    });
    let answer = run(
        &[
            "given.identity.CZZT == \"张示例\"",
            "years(given.identity.KZ_CSRQ, \"2026-01-01\") >= 80",
            "has(given.spouse)",
            "given.parents.exists(p, p == \"b\") && cents(form.amount) == 1250",
            "form.missing == 1",
            "form.homes",
            "given.all(name, true)",
            "\"identity\" in given",
        ],
        &["given.identity.CZZT + \"!\"", "form.homes + 1", "form.homes == 1", "given.identity", "form.homes / 0"],
        &input,
    );
    assert_eq!(answer.rules[..4], [Holds::Yes, Holds::No, Holds::No, Holds::Yes]);
    // Nothing goes through the members of an object: their order could differ.
    assert!(answer.rules[4..7].iter().all(|holds| matches!(holds, Holds::Unknown(_))), "{answer:?}");
    assert_eq!(answer.rules[7], Holds::Yes);
    assert_eq!(answer.values[..3], [Made::Text("张示例!".into()), Made::Whole(2), Made::Truth(true)]);
    assert!(answer.values[3..].iter().all(|made| matches!(made, Made::Unknown(_))), "{answer:?}");
}

#[test]
fn what_may_not_be_is_not_run_even_if_nobody_looked() {
    let three = "given.l.all(x, given.l.all(y, given.l.all(z, true)))";
    let rules =
        ["1.5 > 1.0", "double(1) == 1", "\"a\".matches(\"a\")", "now() == 1", "{\"a\": 1}.a == 1", three, "1u == 1u"];
    let answer = run(&rules, &[], &json!({"given": {"l": [1]}}));
    assert!(
        answer.rules.iter().all(|holds| matches!(holds, Holds::Unknown(reason) if reason.starts_with("rule_"))),
        "{answer:?}"
    );
    for (input, code) in [
        (json!({"given": {"a": 1.5}}), "given.a"),
        (json!({"given": {"l": vec![0; 257]}}), "given.l"),
        (json!({"given": {"n": u64::MAX}}), "given.n"),
        (json!({"given": {"t": "x".repeat(70_000)}}), "given.t"),
    ] {
        let refused = runner().run(&job(&["true"], &[], &input)).unwrap_err();
        assert_eq!(refused.code(), "rules_input");
        assert!(refused.to_string().contains(code), "{refused}");
    }
}

/// The heaviest rule that the form allows: two loops of 256 over long texts, with as much inside as fits.
fn heavy() -> (String, Value) {
    let inside = vec!["(given.s + given.s).contains(given.t)"; 40].join(" || ");
    let rule = format!("given.l.all(x, given.l.all(y, !({inside})))");
    let input = json!({"given": {"l": vec![0; 256], "s": "a".repeat(60_000), "t": format!("{}b", "a".repeat(20_000))}});
    (rule, input)
}

#[test]
fn a_rule_that_takes_too_long_is_killed() {
    let (rule, input) = heavy();
    assert!(kanhe_client::rules::check(&rule, None).is_empty(), "its form is allowed");
    let limit = Duration::from_millis(500);
    let runner = Runner::of(PathBuf::from(env!("CARGO_BIN_EXE_kanhe")), limit);
    let started = Instant::now();
    let error = runner.run(&job(&[&rule], &[], &input)).unwrap_err();
    assert!(matches!(error, RunnerError::TimedOut(_)), "{error}");
    assert!(started.elapsed() < 20 * limit, "nobody waits for it: {:?}", started.elapsed());
    // It also ends by itself, by its processor time, if nobody is there to kill it.
    let error =
        Runner::of(PathBuf::from(env!("CARGO_BIN_EXE_kanhe")), 60 * TIME_LIMIT).run(&job(&[&rule], &[], &input));
    assert!(matches!(error, Err(RunnerError::Died)), "{error:?}");
}

#[test]
fn a_rule_that_takes_too_much_memory_dies_alone() {
    let sums = vec!["given.s"; 20].join(" + ");
    let rule = format!("size(given.l.map(x, given.l.map(y, {sums}))) > 0");
    let input = json!({"given": {"l": vec![0; 256], "s": "a".repeat(60_000)}});
    let died = runner().run(&job(&[&rule], &[], &input));
    assert!(matches!(died, Err(RunnerError::Died)), "{died:?}");
    assert_eq!(run(&["true"], &[], &json!({})).rules, [Holds::Yes], "and the next job is done");
}

#[test]
fn other_programs_give_no_answer() {
    for program in ["/bin/false", "/bin/cat", "/nowhere/at/all"] {
        let error = Runner::of(PathBuf::from(program), TIME_LIMIT).run(&job(&["true"], &[], &json!({}))).unwrap_err();
        assert!(matches!(error, RunnerError::Died | RunnerError::Start(_)), "{program}: {error}");
    }
}

#[test]
fn a_run_is_done_again_and_is_the_same() {
    let salts = Salts { inputs: [1; 32], result: [2; 32] };
    let of = |rule: &str, amount: &str, salts: &Salts| {
        let input = json!({"form": {"b": "1.00", "a": amount}, "given": {"x": {"CZZT": "张示例"}}});
        let job = job(&[rule], &["given.x.CZZT"], &input);
        run_of(&job, &runner().run(&job).unwrap(), salts)
    };
    let signed = of("cents(form.a) > cents(form.b)", "2.00", &salts);
    assert_eq!(signed.engine.as_str(), "cel-0.15.0+kanhe-1");
    assert_eq!(of("cents(form.a) > cents(form.b)", "2.00", &salts), signed);
    assert_ne!(of("cents(form.a) > cents(form.b)", "2.01", &salts).inputs, signed.inputs);
    assert_ne!(of("cents(form.a) > cents(form.b)", "0.50", &salts).result, signed.result);
    assert_ne!(of("cents(form.a) >= cents(form.b)", "2.00", &salts).rules, signed.rules);
    assert_ne!(of("cents(form.a) > cents(form.b)", "2.00", &Salts { inputs: [3; 32], ..salts }).inputs, signed.inputs);
}
