//! From what one node sees to what is so and what helps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finding::{Code, Finding, Missing, Severity, Told};
use super::words::{list, moment, of, size, span, who};
use super::{Diagnosis, RefusedWhy, Role, ValidatorSeen};
use crate::validators::Address;

/// A vote heard not longer ago than this shows that its validator votes, in milliseconds.
const VOTE_FRESH_MS: u64 = 20_000;
/// The same of one that is not connected to this node: others pass its votes on.
const VOTE_PASSED_ON_MS: u64 = 3_000;
/// A height that stands for longer with work waiting stands still, in milliseconds.
const STANDS_MS: u64 = 10_000;
/// Blocks that a peer may be ahead without a word.
const BEHIND_MIN: u64 = 6;
/// Clocks further apart are named; never less than twice the drift that is allowed.
const CLOCK_MS: u64 = 1_000;
const DISK_LOW_BYTES: u64 = 2 << 30;
const DISK_FULL_BYTES: u64 = 128 << 20;
/// Up to so many missing validators all groups are tried.
const GROUPS_OF_MAX: usize = 12;
/// Groups told.
const GROUPS_MAX: usize = 16;

/// Whether a validator is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is there.
    Present,
    /// Connected, but no vote of it is heard although all should vote.
    Mute,
    /// Its guard signs nothing.
    Silenced,
    /// Not connected, and no vote of it is heard.
    Away,
}

impl Diagnosis {
    /// Age of the newest block, in milliseconds.
    pub const fn age_ms(&self) -> u64 {
        self.now_ms.saturating_sub(self.time_ms)
    }
    /// No block for longer than an idle chain may take.
    pub fn is_overdue(&self) -> bool {
        self.age_ms() > self.heartbeat_ms + (self.heartbeat_ms / 2).max(5_000)
    }
    /// The chain does not go on as it should.
    pub fn stands(&self) -> bool {
        let works = self.pending > 0 && !self.engine.idle && self.engine.standing_ms > STANDS_MS;
        self.is_overdue() || works
    }
    /// Whether a validator of the set is there.
    pub fn presence(&self, validator: &ValidatorSeen) -> Presence {
        if validator.silenced {
            return Presence::Silenced;
        }
        if validator.own {
            return Presence::Present;
        }
        let heard = validator.last_vote.map(|vote| vote.ago_ms);
        // As long as a height stands, everyone sends its votes again and again.
        let owed = self.stands() && self.engine.standing_ms > VOTE_FRESH_MS;
        // And while blocks come, it votes once in a heartbeat at the least. A connection may outlive its peer by many
        // minutes, so that it is open says nothing.
        let quiet = VOTE_FRESH_MS + 2 * self.heartbeat_ms;
        match (validator.on_engine, heard) {
            (true, Some(ago)) if ago <= VOTE_FRESH_MS => Presence::Present,
            (true, Some(ago)) if ago <= quiet && !owed => Presence::Present,
            (true, _) if owed || self.unsigned_for(validator) > quiet => Presence::Mute,
            (true, _) => Presence::Present,
            (false, Some(ago)) if ago <= VOTE_PASSED_ON_MS => Presence::Present,
            (false, _) => Presence::Away,
        }
    }
    /// For how long blocks came without its signature, in milliseconds. Of one that never signed nothing is said: it may
    /// have its seat since this block.
    fn unsigned_for(&self, validator: &ValidatorSeen) -> u64 {
        validator.last_signed_ms.map_or(0, |last| self.time_ms.saturating_sub(last))
    }
    /// Power of the validators that are there.
    pub fn present(&self) -> u64 {
        let there = self.validators.iter().filter(|validator| self.presence(validator) == Presence::Present);
        there.map(|validator| validator.power).sum()
    }
    /// Whether those that are there could decide.
    pub fn has_quorum(&self) -> bool {
        self.present() >= self.power_needed
    }
    fn missing(&self) -> Vec<Missing> {
        let gone = self.validators.iter().filter_map(|validator| {
            let presence = self.presence(validator);
            let missing = Missing {
                address: validator.address,
                bureau: validator.bureau.clone(),
                power: validator.power,
                presence,
                since_height: validator.last_signed,
                since_ms: validator.last_signed_ms,
            };
            (presence != Presence::Present).then_some(missing)
        });
        gone.collect()
    }
}

/// All that follows from what one node sees, worst first.
pub fn why(diagnosis: &Diagnosis) -> Vec<Finding> {
    let mut findings = of_node(diagnosis);
    findings.extend(of_chain(diagnosis));
    sorted(findings, diagnosis)
}

/// Worst first; where nothing explains that the chain stands, that is said.
pub(super) fn sorted(mut findings: Vec<Finding>, diagnosis: &Diagnosis) -> Vec<Finding> {
    let explained = findings.iter().any(|finding| finding.severity == Severity::Blocks);
    if !explained {
        findings.push(match diagnosis.stands() {
            false => going(diagnosis),
            true if diagnosis.engine.standing_ms <= STANDS_MS => beginning(diagnosis),
            true => unexplained(diagnosis),
        });
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// After a start the newest block is old, and nothing is wrong yet.
fn beginning(diagnosis: &Diagnosis) -> Finding {
    let age = span(diagnosis.age_ms());
    let text = Told::new(
        format!("this node begins: its newest block, {}, is {} old", diagnosis.height, age.en),
        format!("本节点刚刚开始：最新区块 {} 产生于 {} 前", diagnosis.height, age.zh),
    );
    Finding::new(Code::Beginning, Severity::Warns, text).hint("ask again in some seconds", "请数秒后再询问")
}

fn unexplained(diagnosis: &Diagnosis) -> Finding {
    let engine = &diagnosis.engine;
    let standing = span(engine.standing_ms);
    let text = Told::new(
        format!(
            "the chain stands at height {}: the engine has been in height {} (round {}) for {}, with enough validators",
            diagnosis.height, engine.height, engine.round, standing.en
        ),
        format!(
            "链停在高度 {}：共识引擎处于高度 {}（第 {} 轮）已 {}，而在场验证者足够",
            diagnosis.height, engine.height, engine.round, standing.zh
        ),
    );
    Finding::new(Code::Unexplained, Severity::Blocks, text).hint(
        "ask the other nodes too (--node URL,URL), run `kanhe-node doctor` on each, and read their logs",
        "请一并询问其他节点（--node URL,URL），在各节点上运行 kanhe-node doctor，并查看日志",
    )
}

fn going(diagnosis: &Diagnosis) -> Finding {
    let (age, beat) = (span(diagnosis.age_ms()), span(diagnosis.heartbeat_ms));
    if diagnosis.engine.idle && diagnosis.pending == 0 {
        let text = Told::new(
            format!(
                "the chain is idle, as it should be: no transaction waits, the newest block is {} old, and without work \
                 one comes every {}",
                age.en, beat.en
            ),
            format!("链处于空闲，属正常：没有待处理交易，最新区块产生于 {} 前，无业务时每 {} 出一块", age.zh, beat.zh),
        );
        return Finding::new(Code::NothingToDo, Severity::Informs, text);
    }
    let text = Told::new(
        format!("blocks come: the newest, {}, is {} old", diagnosis.height, age.en),
        format!("链在正常出块：最新区块 {} 产生于 {} 前", diagnosis.height, age.zh),
    );
    Finding::new(Code::GoingOn, Severity::Informs, text)
}

/// What is about the chain as a whole.
pub(super) fn of_chain(diagnosis: &Diagnosis) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(quorum(diagnosis));
    for one in &diagnosis.double_signers {
        let (bureau, at) = (of(&one.bureau), moment(one.recorded_ms));
        let text = Told::new(
            format!(
                "the validator of {} signed two values at height {}; block {} of {at} recorded the proof, and it lost its \
                 seat and key",
                bureau.en, one.height, one.recorded
            ),
            format!(
                "{} 的验证者在高度 {} 签署了两个不同的值；区块 {}（{at}）已记录证据，其席位和密钥已终止",
                bureau.zh, one.height, one.recorded
            ),
        );
        findings.push(Finding::new(Code::DoubleSignature, Severity::Warns, text).hint(
            "the bureau must find out which second process or restored backup signed, before it gets a seat for a new key",
            "该部门须查明是哪个第二进程或恢复的备份签了名，之后才能用新密钥重新取得席位",
        ));
    }
    findings
}

fn quorum(diagnosis: &Diagnosis) -> Option<Finding> {
    let missing = diagnosis.missing();
    if missing.is_empty() {
        return None;
    }
    let names = list(&missing.iter().map(named).collect::<Vec<_>>());
    let (present, needed, total) = (diagnosis.present(), diagnosis.power_needed, diagnosis.power_total);
    let lacking = needed.saturating_sub(present);
    if lacking == 0 {
        let spare = present - needed;
        let text = Told::new(
            format!(
                "missing: {}. The others have power {present} of {total}, {needed} decide, so {spare} more may fail",
                names.en
            ),
            format!("缺席：{}。其余验证者权重 {present}/{total}，达到 {needed} 即可决定，还可再缺 {spare}", names.zh),
        );
        let mut finding = Finding::new(Code::ValidatorsMissing, Severity::Warns, text).hint(
            "on each missing node: `kanhe-node doctor --home …`",
            "请在各缺席节点上运行 kanhe-node doctor --home …",
        );
        finding.missing = missing;
        return Some(finding);
    }
    let unblock = groups(&missing, lacking);
    let helps = helps(&missing, &unblock);
    let stands = diagnosis.stands();
    let (then_en, then_zh) = if stands {
        ("the chain stands", "链已停止")
    } else {
        ("the next block cannot be decided", "下一区块无法决定")
    };
    let since = moment(diagnosis.time_ms);
    let text = Told::new(
        format!(
            "{then_en}: validators with power {present} of {total} are there and {needed} must agree, so {lacking} lack. \
             Missing: {}. Newest block: {} of {since}",
            names.en, diagnosis.height
        ),
        format!(
            "{then_zh}：在场验证者权重 {present}/{total}，须达到 {needed}，尚缺 {lacking}。缺席：{}。最新区块：{}（{since}）",
            names.zh, diagnosis.height
        ),
    );
    let severity = if stands { Severity::Blocks } else { Severity::Warns };
    let mut finding = Finding::new(Code::QuorumMissing, severity, text).hint(
        format!("enough to go on: {}. On its machine: `kanhe-node doctor --home …`, then `kanhe-node run`", helps.en),
        format!("恢复以下即可继续：{}。请在其机器上先运行 kanhe-node doctor --home …，再运行 kanhe-node run", helps.zh),
    );
    finding.missing = missing;
    finding.power_missing = Some(lacking);
    finding.unblock = unblock;
    Some(finding)
}

fn named(missing: &Missing) -> Told {
    let name = who(missing.bureau.as_ref(), &missing.address);
    let (how_en, how_zh) = match missing.presence {
        Presence::Present => ("there", "在场"),
        Presence::Mute => ("connected, but does not vote", "已连接但不投票"),
        Presence::Silenced => ("its guard is silent", "签名守卫静默"),
        Presence::Away => ("not connected", "未连接"),
    };
    match (missing.since_height, missing.since_ms) {
        (Some(height), Some(at)) => Told::new(
            format!("{} ({how_en}; last signed block {height} of {})", name.en, moment(at)),
            format!("{}（{how_zh}；最后签署区块 {height}，{}）", name.zh, moment(at)),
        ),
        _ => Told::new(
            format!("{} ({how_en}; signed nothing yet)", name.en),
            format!("{}（{how_zh}；尚未签署）", name.zh),
        ),
    }
}

fn helps(missing: &[Missing], unblock: &[Vec<Address>]) -> Told {
    let name = |address: &Address| {
        let found = missing.iter().find(|missing| missing.address == *address);
        who(found.and_then(|missing| missing.bureau.as_ref()), address)
    };
    let groups: Vec<Told> = unblock.iter().map(|group| list(&group.iter().map(name).collect::<Vec<_>>())).collect();
    let join = |pick: fn(&Told) -> &str, or: &str| groups.iter().map(pick).collect::<Vec<_>>().join(or);
    Told::new(join(|told| &told.en, ", or "), join(|told| &told.zh, "，或 "))
}

/// The smallest groups of the missing whose power is enough: none of a group can be left out.
pub(super) fn groups(missing: &[Missing], lacking: u64) -> Vec<Vec<Address>> {
    if missing.len() > GROUPS_OF_MAX {
        let mut strongest: Vec<&Missing> = missing.iter().collect();
        strongest.sort_by_key(|missing| std::cmp::Reverse(missing.power));
        let (mut group, mut power) = (Vec::new(), 0);
        for one in strongest {
            if power >= lacking {
                break;
            }
            power += one.power;
            group.push(one.address);
        }
        return vec![group];
    }
    let members = |mask: u32| missing.iter().enumerate().filter(move |(place, _)| mask & (1 << place) != 0);
    let power = |mask: u32| members(mask).map(|(_, one)| one.power).sum::<u64>();
    let smallest = |mask: &u32| {
        let power = power(*mask);
        power >= lacking && members(*mask).all(|(_, one)| power - one.power < lacking)
    };
    let mut masks: Vec<u32> = (1..1u32 << missing.len()).filter(smallest).collect();
    masks.sort_by_key(|mask| mask.count_ones());
    masks.truncate(GROUPS_MAX);
    masks.into_iter().map(|mask| members(mask).map(|(_, one)| one.address).collect()).collect()
}

/// What is about the node itself.
pub(super) fn of_node(diagnosis: &Diagnosis) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(alone(diagnosis));
    findings.extend(behind(diagnosis));
    findings.extend(silent(diagnosis));
    findings.extend(disk(diagnosis));
    findings.extend(diagnosis.damaged.as_ref().map(|what| {
        Finding::new(Code::Damaged, Severity::Blocks, Told::new(what.clone(), format!("数据损坏：{what}"))).hint(
            "stop the node and run `kanhe-node fsck`; restore this home, or `run --rejoin` from peers",
            "请停止节点并运行 kanhe-node fsck；恢复本目录，或用 run --rejoin 从其他节点重建",
        )
    }));
    findings.extend(clocks(diagnosis));
    findings.extend(refused(diagnosis));
    findings.extend(versions(diagnosis));
    findings.extend(versions_of_peers(diagnosis));
    findings.extend(keys(diagnosis));
    findings.extend(role(diagnosis));
    findings.into_iter().map(|finding| finding.of(&diagnosis.name)).collect()
}

fn alone(diagnosis: &Diagnosis) -> Option<Finding> {
    let others = diagnosis.validators.iter().any(|validator| !validator.own);
    if !others || diagnosis.peers.iter().any(|peer| peer.on_engine || peer.on_network) {
        return None;
    }
    let text = Told::new("this node is connected to no other", "本节点未连接到任何其他节点");
    Some(Finding::new(Code::Alone, Severity::Warns, text).hint(
        "if the others run, the fault is here: check its network, firewall and addresses (`kanhe-node doctor`)",
        "若其他节点在运行，问题在本节点：请检查网络、防火墙和地址（kanhe-node doctor）",
    ))
}

fn behind(diagnosis: &Diagnosis) -> Option<Finding> {
    // The second highest word: one liar alone does not make a node look late.
    let mut tips: Vec<u64> = diagnosis.peers.iter().filter_map(|peer| peer.tip).collect();
    tips.sort_unstable();
    let believed = if tips.len() > 1 { tips[tips.len() - 2] } else { tips.first().copied().unwrap_or(0) };
    let blocks = believed.saturating_sub(diagnosis.height);
    if blocks < BEHIND_MIN {
        return None;
    }
    let text = Told::new(
        format!("this node is {blocks} blocks behind its peers and catches up"),
        format!("本节点落后 {blocks} 个区块，正在追赶"),
    );
    Some(
        Finding::new(Code::Behind, Severity::Warns, text)
            .hint("wait; if its height does not rise, read its log", "请等待；若高度不再上升，请查看日志"),
    )
}

fn silent(diagnosis: &Diagnosis) -> Option<Finding> {
    if !diagnosis.engine.silent {
        return None;
    }
    let (en, zh) = match diagnosis.engine.silent_above {
        Some(above) => (format!("until a height above {above} is decided"), format!("直到高于 {above} 的高度被决定")),
        None => ("until enough peers were heard".to_owned(), "直到听到足够多的其他节点".to_owned()),
    };
    let text = Told::new(
        format!("this validator's signing guard is silent {en}: it may have signed what this home does not know"),
        format!("本验证者的签名守卫保持静默，{zh}：它可能签过本目录不知道的内容"),
    );
    Some(Finding::new(Code::SilentGuard, Severity::Warns, text).hint(
        "it ends by itself once the others decide a block; not more than a third of the power may be silent at a time",
        "其他验证者决定区块后会自动解除；同时静默的权重不得超过三分之一",
    ))
}

fn disk(diagnosis: &Diagnosis) -> Option<Finding> {
    let disk = diagnosis.disk?;
    let (code, severity) = match disk.free_bytes {
        0..DISK_FULL_BYTES => (Code::DiskFull, Severity::Blocks),
        DISK_FULL_BYTES..DISK_LOW_BYTES => (Code::DiskLow, Severity::Warns),
        _ => return None,
    };
    let (free, total) = (size(disk.free_bytes), size(disk.total_bytes));
    let text = Told::new(
        format!("{free} of {total} are free on the disk of this home"),
        format!("本目录所在磁盘剩余 {free}（共 {total}）"),
    );
    Some(Finding::new(code, severity, text).hint(
        "make room: a node whose durable write fails ends with exit code 75, and starts again once there is room",
        "请腾出空间：持久写入失败的节点以退出码 75 结束，有空间后可重新启动",
    ))
}

fn clocks(diagnosis: &Diagnosis) -> Option<Finding> {
    let limit = CLOCK_MS.max(2 * diagnosis.clock_drift_ms);
    let known: Vec<(&super::PeerSeen, i64)> =
        diagnosis.peers.iter().filter_map(|peer| Some((peer, peer.clock_ahead_ms?))).collect();
    let off: Vec<&(&super::PeerSeen, i64)> = known.iter().filter(|(_, ahead)| ahead.unsigned_abs() > limit).collect();
    if off.is_empty() {
        return None;
    }
    let (_, worst) = off.iter().max_by_key(|(_, ahead)| ahead.unsigned_abs())?;
    let apart = span(worst.unsigned_abs());
    let text = if off.len() * 2 > known.len() {
        let (en, zh) = if *worst > 0 { ("behind", "慢") } else { ("ahead of", "快") };
        Told::new(
            format!("this node's clock is {} {en} the clocks of {} of {} peers", apart.en, off.len(), known.len()),
            format!("本节点时钟比 {}/{} 个节点{zh} {}", off.len(), known.len(), apart.zh),
        )
    } else {
        let names: Vec<Told> = off
            .iter()
            .map(|(peer, _)| peer.bureau.as_ref().map_or_else(|| Told::new(&peer.peer, &peer.peer), of))
            .collect();
        let names = list(&names);
        Told::new(
            format!("the clocks of {} and of this node are up to {} apart", names.en, apart.en),
            format!("{} 的时钟与本节点相差达 {}", names.zh, apart.zh),
        )
    };
    Some(Finding::new(Code::ClockApart, Severity::Warns, text).hint(
        "set it by NTP: blocks ahead of a node's clock get no vote of it",
        "请用 NTP 校时：超前于本地时钟的区块得不到该节点的票",
    ))
}

fn refused(diagnosis: &Diagnosis) -> Vec<Finding> {
    let each = diagnosis.refused.iter().map(|refused| {
        let peer = &refused.peer;
        let name = refused.bureau.as_ref().map_or_else(|| Told::new(peer, peer), of);
        let (en, zh) = match refused.why {
            RefusedWhy::NotListed => {
                ("refused: its key is no network key of a bureau", "被拒绝：其密钥不是任何部门的网络密钥")
            }
            RefusedWhy::Banned => ("shut out for a while for what it sent", "因其发送的内容被暂时拒之门外"),
            RefusedWhy::Limits => ("refused: too many connections", "被拒绝：连接过多"),
            RefusedWhy::WrongKey => {
                ("not reached: another key answers at its address", "无法连接：其地址上应答的是另一密钥")
            }
            RefusedWhy::Unreachable => ("not reached", "无法连接"),
        };
        let (severity, detail) = match refused.why {
            RefusedWhy::NotListed | RefusedWhy::Unreachable => (Severity::Informs, &refused.detail),
            _ => (Severity::Warns, &refused.detail),
        };
        let ago = span(refused.ago_ms);
        let said = match detail.as_str() {
            "" => Told::new("", ""),
            detail => Told::new(format!(" ({detail})"), format!("（{detail}）")),
        };
        let text = Told::new(
            format!("peer {}: {en}, {} ago{}", name.en, ago.en, said.en),
            format!("节点 {}：{zh}，{} 前{}", name.zh, ago.zh, said.zh),
        );
        Finding::new(Code::PeerRefused, severity, text)
    });
    each.collect()
}

fn versions(diagnosis: &Diagnosis) -> Option<Finding> {
    let next = diagnosis.protocol_next.filter(|next| next.version > diagnosis.protocol_known)?;
    let text = Told::new(
        format!(
            "from height {} on the chain has rules of version {}; this software ({}) knows {} and will not start then",
            next.height, next.version, diagnosis.version, diagnosis.protocol_known
        ),
        format!(
            "自高度 {} 起链采用第 {} 版规则；本软件（{}）只支持到第 {} 版，届时将无法运行",
            next.height, next.version, diagnosis.version, diagnosis.protocol_known
        ),
    );
    Some(Finding::new(Code::VersionDiffers, Severity::Warns, text).hint("update it before then", "请在此之前升级"))
}

/// Peers with other software, by version.
fn versions_of_peers(diagnosis: &Diagnosis) -> Vec<Finding> {
    let mut others: BTreeMap<(&str, u32), Vec<Told>> = BTreeMap::new();
    for peer in &diagnosis.peers {
        let (Some(version), Some(known)) = (&peer.version, peer.protocol_known) else { continue };
        if *version != diagnosis.version || known != diagnosis.protocol_known {
            let name = peer.bureau.as_ref().map_or_else(|| Told::new(&peer.peer, &peer.peer), of);
            others.entry((version, known)).or_default().push(name);
        }
    }
    let each = others.into_iter().map(|((version, known), names)| {
        let names = list(&names);
        let own = (&diagnosis.version, diagnosis.protocol_known);
        let text = Told::new(
            format!("{} runs {version} (rules up to {known}), this node {} (up to {})", names.en, own.0, own.1),
            format!("{} 运行 {version}（规则至第 {known} 版），本节点运行 {}（至第 {} 版）", names.zh, own.0, own.1),
        );
        match diagnosis.protocol_next.filter(|next| next.version > known) {
            None => Finding::new(Code::VersionDiffers, Severity::Informs, text),
            Some(next) => Finding::new(Code::VersionDiffers, Severity::Warns, text).hint(
                format!("rules {} count from height {} on: it must be updated before", next.version, next.height),
                format!("自高度 {} 起采用第 {} 版规则，须在此之前升级", next.height, next.version),
            ),
        }
    });
    each.collect()
}

fn keys(diagnosis: &Diagnosis) -> Vec<Finding> {
    let each = diagnosis.keys_ending.iter().map(|key| {
        let role = format!("{:?}", key.role).to_lowercase();
        let (en, zh) = match (key.ended, key.height, key.time_ms) {
            (true, ..) => ("has ended, and no other holds".to_owned(), "已失效，且没有同类有效密钥".to_owned()),
            (_, _, Some(at)) => (format!("ends at {}", moment(at)), format!("将于 {} 失效", moment(at))),
            (_, Some(height), _) => (format!("ends at height {height}"), format!("将在高度 {height} 失效")),
            _ => ("ends".to_owned(), "将失效".to_owned()),
        };
        let text = Told::new(
            format!("the {role} key {} of this bureau {en}", key.key),
            format!("本部门的 {role} 密钥 {} {zh}", key.key),
        );
        let severity = if key.ended { Severity::Warns } else { Severity::Informs };
        Finding::new(Code::KeyExpiring, severity, text)
            .hint("if no new one is in use yet: `kanhe gov rotate`", "若尚未启用新密钥：kanhe gov rotate")
    });
    each.collect()
}

fn role(diagnosis: &Diagnosis) -> Option<Finding> {
    let (code, text) = match diagnosis.role {
        Role::Validator => return None,
        Role::NotSeated => (
            Code::NotSeated,
            Told::new(
                "this node's validator key has no seat in the current set: it follows and does not vote",
                "本节点的验证者密钥在当前集合中没有席位：只跟随，不投票",
            ),
        ),
        Role::Observer => (
            Code::Observer,
            Told::new(
                "this node has no validator key: it follows and does not vote",
                "本节点没有验证者密钥：只跟随，不投票",
            ),
        ),
    };
    Some(Finding::new(code, Severity::Informs, text))
}
