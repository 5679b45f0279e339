//! What several nodes see, taken together.

use std::collections::BTreeMap;

use super::finding::{Code, Finding, Severity, Told};
use super::why::{of_chain, of_node, sorted};
use super::words::{list, who};
use super::{Diagnosis, ValidatorSeen};

/// One view of several: that of the node that is furthest, with what the others see of each validator. A node that
/// answers is there, whether the others see it or not.
pub fn together(diagnoses: &[Diagnosis]) -> Option<Diagnosis> {
    let mut seen = diagnoses.iter().max_by_key(|one| (one.height, one.engine.standing_ms))?.clone();
    let others: Vec<&Diagnosis> = diagnoses.iter().filter(|one| one.chain_id == seen.chain_id).collect();
    for validator in &mut seen.validators {
        for other in &others {
            if let Some(theirs) = other.validators.iter().find(|theirs| theirs.address == validator.address) {
                join(validator, theirs);
            }
        }
    }
    seen.engine.idle = others.iter().all(|one| one.engine.idle);
    seen.pending = others.iter().map(|one| one.pending).max().unwrap_or(0);
    seen.double_signers = longest(&others);
    seen.power_present = seen.present();
    Some(seen)
}

fn longest(others: &[&Diagnosis]) -> Vec<super::DoubleSigner> {
    let longest = others.iter().max_by_key(|one| one.double_signers.len());
    longest.map(|one| one.double_signers.clone()).unwrap_or_default()
}

fn join(validator: &mut ValidatorSeen, theirs: &ValidatorSeen) {
    validator.own |= theirs.own;
    validator.silenced |= theirs.silenced;
    validator.on_engine |= theirs.on_engine;
    validator.on_network |= theirs.on_network;
    validator.tip = validator.tip.max(theirs.tip);
    if theirs.last_signed > validator.last_signed {
        (validator.last_signed, validator.last_signed_ms) = (theirs.last_signed, theirs.last_signed_ms);
    }
    let fresher = |vote: &super::VoteSeen| validator.last_vote.is_none_or(|known| vote.ago_ms < known.ago_ms);
    if let Some(vote) = theirs.last_vote.filter(fresher) {
        validator.last_vote = Some(vote);
    }
}

/// All that follows from what several nodes see, worst first.
pub fn why_of(diagnoses: &[Diagnosis]) -> Vec<Finding> {
    let Some(seen) = together(diagnoses) else { return Vec::new() };
    let mut findings: Vec<Finding> = diagnoses.iter().flat_map(of_node).collect();
    findings.extend(differences(diagnoses));
    findings.extend(of_chain(&seen));
    findings.extend(partitioned(diagnoses, &seen));
    sorted(findings, &seen)
}

fn differences(diagnoses: &[Diagnosis]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tips: BTreeMap<u64, &Diagnosis> = BTreeMap::new();
    let first = diagnoses.first();
    for one in diagnoses {
        if first.is_some_and(|first| first.chain_id != one.chain_id) {
            let text = Told::new(
                format!("{} is of another chain: {}", one.name, one.chain),
                format!("{} 属于另一条链：{}", one.name, one.chain),
            );
            findings.push(Finding::new(Code::OtherChain, Severity::Warns, text));
            continue;
        }
        if let Some(other) = tips.get(&one.height).filter(|other| other.header_hash != one.header_hash) {
            let text = Told::new(
                format!("{} and {} have different blocks at height {}", other.name, one.name, one.height),
                format!("{} 与 {} 在高度 {} 的区块不同", other.name, one.name, one.height),
            );
            findings.push(Finding::new(Code::Fork, Severity::Blocks, text).hint(
                "stop both, keep their homes, and compare certificates: more than a third signed twice",
                "请停止两者并保留目录，比对证书：有超过三分之一的权重重复签名",
            ));
        }
        tips.entry(one.height).or_insert(one);
        let differs = |first: &&Diagnosis| first.version != one.version || first.protocol_known != one.protocol_known;
        if let Some(first) = first.filter(differs) {
            let text = Told::new(
                format!(
                    "{} runs {} (rules up to {}), {} runs {} (rules up to {})",
                    first.name, first.version, first.protocol_known, one.name, one.version, one.protocol_known
                ),
                format!(
                    "{} 运行 {}（规则至第 {} 版），{} 运行 {}（规则至第 {} 版）",
                    first.name, first.version, first.protocol_known, one.name, one.version, one.protocol_known
                ),
            );
            findings.push(Finding::new(Code::VersionDiffers, Severity::Informs, text));
        }
    }
    findings
}

/// Together they would be enough, but none of them sees enough.
fn partitioned(diagnoses: &[Diagnosis], seen: &Diagnosis) -> Option<Finding> {
    let parted = seen.stands() && seen.has_quorum() && diagnoses.iter().all(|one| !one.has_quorum());
    if !parted {
        return None;
    }
    let parts: Vec<Told> = diagnoses
        .iter()
        .map(|one| {
            let lacks = one.validators.iter().filter(|validator| one.presence(validator) != super::Presence::Present);
            let lacks = list(&lacks.map(|lack| who(lack.bureau.as_ref(), &lack.address)).collect::<Vec<_>>());
            Told::new(format!("{} does not see {}", one.name, lacks.en), format!("{} 看不到 {}", one.name, lacks.zh))
        })
        .collect();
    let join = |pick: fn(&Told) -> &str, by: &str| parts.iter().map(pick).collect::<Vec<_>>().join(by);
    let text = Told::new(
        format!("enough validators run, but they do not see each other: {}", join(|part| &part.en, "; ")),
        format!("运行的验证者足够，但彼此不可见：{}", join(|part| &part.zh, "；")),
    );
    Some(Finding::new(Code::Partitioned, Severity::Blocks, text).hint(
        "check the network between them: firewalls, routes, and the consensus ports",
        "请检查它们之间的网络：防火墙、路由和共识端口",
    ))
}
