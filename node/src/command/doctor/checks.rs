//! What the doctor looks at in a home.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kanhe_proto::diagnosis::{moment, span};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::ChainId;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileRole};

use super::report::{Check, Outcome, Report};
use crate::config::Config;
use crate::consensus::guard::{self, UNTOLD};
use crate::run::last_stop::LastStop;
use crate::run::{RunError, diagnosis, home, now, ports, read_genesis};
use crate::storage::{Storage, StorageError};

/// A newest block that is further ahead of the clock shows that the clock is wrong, in milliseconds.
const AHEAD_MAX_MS: u64 = 10_000;
/// Exit codes after which a start as it is would do harm or end in the same way: the key signs elsewhere, or a certified
/// block does not execute here.
const STOPS_THAT_HOLD: [u8; 2] = [72, 74];
const DISK_LOW_BYTES: u64 = 2 << 30;
const DISK_FULL_BYTES: u64 = 128 << 20;

/// A home under examination.
pub(super) struct Examined<'a> {
    pub(super) home: &'a Path,
    pub(super) config: &'a Config,
    pub(super) running: bool,
    pub(super) report: &'a mut Report,
}

impl Examined<'_> {
    /// Looks at everything. What a running node holds is left to it.
    pub(super) fn all(&mut self) {
        let genesis = self.genesis();
        self.permissions();
        self.disk();
        self.keys();
        self.guard();
        let stopped = !self.running && !self.report.in_use;
        if let Some(genesis) = genesis.filter(|_| stopped) {
            self.database(&genesis.chain_id());
        }
        self.last_stop(stopped);
        if stopped {
            self.ports();
        }
    }

    fn say(&mut self, check: Check) {
        self.report.checks.push(check);
    }
    /// In the words with which `run` would end.
    fn fails(&mut self, check: &'static str, error: &RunError) {
        let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
        let text = format!("{error}{source}");
        self.say(Check::bad(check, &text, error.hint()));
    }

    fn genesis(&mut self) -> Option<Genesis> {
        match read_genesis(self.home, self.config) {
            Ok(genesis) => {
                let id = genesis.chain_id();
                self.say(Check::good("genesis", format!("chain {id}"), format!("链 {id}")));
                Some(genesis)
            }
            Err(error) => {
                self.fails("genesis", &error);
                None
            }
        }
    }

    fn permissions(&mut self) {
        let folders = [self.home.to_owned(), home::chain(self.home)];
        let unwritable = folders.iter().find(|folder| {
            folder.exists() && rustix::fs::access(folder.as_path(), rustix::fs::Access::WRITE_OK).is_err()
        });
        let check = match unwritable {
            Some(folder) => {
                let text = format!("{} cannot be written by this user", folder.display());
                Check::bad("home", &text, "check owner and mode; run the doctor as the node's own user")
            }
            None => Check::good("home", "the home can be written", "目录可写"),
        };
        self.say(check);
    }

    fn disk(&mut self) {
        let Some(disk) = diagnosis::disk(self.home) else { return };
        let mib = disk.free_bytes >> 20;
        let (en, zh) = (format!("{mib} MiB are free"), format!("剩余 {mib} MiB"));
        let hint = "make room: a node whose durable write fails ends with exit code 75";
        let check = match disk.free_bytes {
            0..DISK_FULL_BYTES => Check { outcome: Outcome::Bad, ..Check::warning("disk", en, zh, hint) },
            DISK_FULL_BYTES..DISK_LOW_BYTES => Check::warning("disk", en, zh, hint),
            _ => Check::good("disk", en, zh),
        };
        self.say(check);
    }

    fn keys(&mut self) {
        self.key("network", KeyFileRole::Network, &self.home.join(&self.config.keys.network));
        match &self.config.keys.validator {
            Some(path) => self.key("validator", KeyFileRole::Validator, &self.home.join(path)),
            None => self.say(Check::good("validator", "no validator key: it only follows", "没有验证者密钥：只跟随")),
        }
        if let Some(path) = &self.config.keys.validator_next {
            self.key("validator_next", KeyFileRole::Validator, &self.home.join(path));
        }
        let Some(path) = self.config.passphrase_file.as_ref().map(|path| self.home.join(path)) else { return };
        let check = match fs::metadata(&path) {
            Err(error) => {
                let text = format!("the passphrase file {}: {error}", path.display());
                Check::bad("passphrase", &text, "put it back, or name another with `run --passphrase-file`")
            }
            Ok(found) if found.mode() & 0o077 != 0 => {
                let text = format!("{} is readable by others", path.display());
                Check::bad("passphrase", &text, "chmod 600 it, and change the passphrase if others may have read it")
            }
            Ok(_) => Check::good("passphrase", "its file is there", "口令文件存在"),
        };
        self.say(check);
    }

    fn key(&mut self, check: &'static str, wanted: KeyFileRole, path: &Path) {
        let shown = path.display();
        let found = fs::metadata(path).and_then(|found| Ok((found.mode() & 0o777, read_bounded(path)?)));
        let said = match found {
            Err(error) => {
                Check::bad(check, &format!("{shown}: {error}"), "restore the key file; check [keys] in config.toml")
            }
            Ok((mode, _)) if mode & 0o077 != 0 => {
                Check::bad(check, &format!("{shown} is readable by others (mode {mode:04o})"), "chmod 600 it")
            }
            Ok((_, text)) => match key_file::describe(&text) {
                Ok((role, key)) if role == wanted => {
                    let id = key.id();
                    Check::good(check, format!("key {id}"), format!("密钥 {id}"))
                }
                Ok((role, _)) => {
                    Check::bad(check, &format!("{shown} holds a key of role {role:?}"), "check [keys] in config.toml")
                }
                Err(error) => Check::bad(check, &format!("{shown}: {error}"), "restore the key file from its backup"),
            },
        };
        self.say(said);
    }

    fn guard(&mut self) {
        let Some(key) = &self.config.keys.validator else { return };
        let path = home::guard_of(self.home, key);
        if !path.exists() {
            return self.fails("guard", &RunError::GuardMissing(path));
        }
        // A lock that is free is let go at once.
        self.report.in_use =
            File::open(&path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)));
        match guard::standing(&path) {
            Err(error) => self.fails("guard", &RunError::Guard(error)),
            Ok(standing) if standing.moved => self.say(Check::bad(
                "guard",
                &"its key was exported: this home signs no more, and `run` refuses while `[keys]` names `validator`",
                "run it where the key was imported; to follow from here, take `validator` out of [keys] in config.toml",
            )),
            Ok(standing) => {
                self.report.signed_up_to = standing.highest.map(|height| height.0);
                self.report.silent = standing.silenced.is_some();
                let highest = standing.highest.unwrap_or(Height(0));
                let check = match standing.silenced {
                    None => {
                        Check::good("guard", format!("signed up to height {highest}"), format!("已签至高度 {highest}"))
                    }
                    Some(above) => {
                        let (en, zh) = match above {
                            UNTOLD => ("until enough peers were heard".to_owned(), "直到听到足够多的节点".to_owned()),
                            above => (
                                format!("until a height above {above} is decided"),
                                format!("直到高于 {above} 的高度被决定"),
                            ),
                        };
                        let hint = "it ends by itself once the others decide a block";
                        Check::warning(
                            "guard",
                            format!("silent {en}; signed up to {highest}"),
                            format!("静默，{zh}；已签至 {highest}"),
                            hint,
                        )
                    }
                };
                self.say(check);
            }
        }
    }

    /// Why it ended by itself. What only its operator can mend counts until blocks came after it.
    fn last_stop(&mut self, stopped: bool) {
        let Some(LastStop { at_ms, code, reason, hint }) = LastStop::read(self.home) else { return };
        let at = moment(at_ms);
        let en = format!("the node ended by itself at {at} with exit code {code}: {reason}");
        let zh = format!("节点曾于 {at} 自行退出，退出码 {code}：{reason}");
        let check = Check::warning("last_stop", en, zh, &hint);
        let since = self.report.time_ms.is_some_and(|newest| newest > at_ms);
        let holds = stopped && !since && STOPS_THAT_HOLD.contains(&code);
        self.say(if holds { check.with_state_bad() } else { check });
    }

    fn database(&mut self, chain: &ChainId) {
        let read = || -> Result<_, StorageError> {
            let storage = Storage::open_read_only(&home::chain(self.home), chain)?;
            let reader = storage.read();
            let (height, _) = reader.tip()?;
            Ok((height, reader.header(height)?.map_or(TimeMs(0), |header| header.time)))
        };
        match read() {
            Err(error) => self.fails("database", &RunError::Storage(error)),
            Ok((height, time)) => {
                (self.report.height, self.report.time_ms) = (Some(height.0), Some(time.0));
                let at = moment(time.0);
                self.say(Check::good("database", format!("block {height} of {at}"), format!("区块 {height}（{at}）")));
                self.older(height);
                self.clock(time);
            }
        }
    }

    fn older(&mut self, height: Height) {
        if self.report.signed_up_to.is_some_and(|signed| signed > height.0 + 1) {
            let signed = self.report.signed_up_to.unwrap_or_default();
            let hint = "was it restored from a backup? Start it once with `run --rejoin`; blocks come from peers";
            self.say(Check::warning(
                "database",
                format!("the validator signed for height {signed}, but the database ends at {height}"),
                format!("验证者已签至高度 {signed}，但数据库止于 {height}"),
                hint,
            ));
        }
    }

    fn clock(&mut self, newest: TimeMs) {
        let (ahead, age) = (newest.since(now()).0, now().since(newest).0);
        if ahead > AHEAD_MAX_MS {
            let text = format!("the newest block is {} ahead of this machine's clock", span(ahead).en);
            return self.say(Check::bad("clock", &text, "set the clock by NTP"));
        }
        let age = span(age);
        self.say(Check::good("clock", format!("newest block {} ago", age.en), format!("最新区块在 {} 前", age.zh)));
    }

    fn ports(&mut self) {
        let engine = ports::check_free("the consensus engine", &self.config.consensus.listen.0);
        let swarm = ports::check_free("the swarm", &self.config.network.listen.0);
        let address = self.config.api.listen;
        let api = TcpListener::bind(address).map(drop);
        let api = api.map_err(|source| RunError::Listen { what: "the API", address, source });
        let taken: Vec<RunError> = [engine, swarm, api].into_iter().filter_map(Result::err).collect();
        for error in &taken {
            self.fails("ports", error);
        }
        if taken.is_empty() {
            self.say(Check::good("ports", "its addresses are free", "监听地址可用"));
        }
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    File::open(path)?.take(KEY_FILE_BYTES_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}
