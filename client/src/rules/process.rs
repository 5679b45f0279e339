//! The process that runs rules: the same program, started anew for one job, bounded and killed when its time is over.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::engine::evaluate;
use super::job::{ANSWER_BYTES_MAX, Answer, JOB_BYTES_MAX, Job, JobError};

/// How long a job may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(1);
/// Name of the hidden command.
pub const COMMAND: &str = "rules-run";
/// Memory of the process, in bytes, its program included.
const MEMORY_MAX: u64 = 1 << 30;
/// Seconds of processor that end the process even if whoever started it is gone.
const PROCESSOR_SECONDS_MAX: u64 = 2;

/// Why there is no answer. None of these says anything about the rules' result: an officer decides.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The job itself is refused.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The process cannot be started.
    #[error("the process for rules cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// It was killed when its time was over.
    #[error("the rules took longer than {0:?} and were stopped")]
    TimedOut(Duration),
    /// It ended without an answer: out of memory, or killed.
    #[error("the process for rules died without an answer")]
    Died,
    /// More bytes than an answer has.
    #[error("the rules' answer is too long")]
    TooLong,
}

impl RunnerError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Job(_) => "rules_input",
            Self::Start(_) => "rules_start",
            Self::TimedOut(_) => "rules_timed_out",
            Self::Died => "rules_died",
            Self::TooLong => "rules_too_long",
        }
    }
}

/// Starts a process for each job.
#[derive(Debug, Clone)]
pub struct Runner {
    program: PathBuf,
    time_limit: Duration,
}

impl Runner {
    /// With this very program, even if its file was replaced since it started.
    pub fn own() -> Result<Self, RunnerError> {
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() { running } else { std::env::current_exe().map_err(RunnerError::Start)? };
        Ok(Self::of(program, TIME_LIMIT))
    }
    /// With another program that knows the command, or another limit.
    pub const fn of(program: PathBuf, time_limit: Duration) -> Self {
        Self { program, time_limit }
    }

    /// Has a job done.
    pub fn run(&self, job: &Job) -> Result<Answer, RunnerError> {
        job.check()?;
        let bytes = serde_json::to_vec(job).expect("a job has text keys alone");
        if bytes.len() > JOB_BYTES_MAX {
            return Err(JobError::TooLong.into());
        }
        let mut command = Command::new(&self.program);
        // Nothing of this process's environment is a rule's business.
        command.arg(COMMAND).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(RunnerError::Start)?;
        let answer = self.talk(&mut child, bytes);
        // Dead already, or to be killed: either way nothing of it stays.
        let _ = child.kill();
        let _ = child.wait();
        let answer = answer?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_| RunnerError::Died)?;
        let whole = answer.rules.len() == job.rules.len() && answer.values.len() == job.values.len();
        if whole { Ok(answer) } else { Err(RunnerError::Died) }
    }

    fn talk(&self, child: &mut Child, bytes: Vec<u8>) -> Result<Vec<u8>, RunnerError> {
        let (mut stdin, stdout) = child.stdin.take().zip(child.stdout.take()).ok_or(RunnerError::Died)?;
        // It may end without reading: that shows in its answer.
        thread::spawn(move || stdin.write_all(&bytes));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut answer = Vec::new();
            let read = stdout.take(ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut answer).map(|_| answer);
            let _ = sender.send(read);
        });
        let answer = receiver.recv_timeout(self.time_limit).map_err(|_| RunnerError::TimedOut(self.time_limit))?;
        let answer = answer.map_err(|_| RunnerError::Died)?;
        match answer.len() {
            0 => Err(RunnerError::Died),
            len if len > ANSWER_BYTES_MAX => Err(RunnerError::TooLong),
            _ => Ok(answer),
        }
    }
}

/// The other side: reads a job from stdin, writes the answer to stdout. Whether it went well.
pub fn work() -> bool {
    bound();
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(JOB_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    if read.is_err() || bytes.len() > JOB_BYTES_MAX {
        return false;
    }
    let Ok(job) = serde_json::from_slice::<Job>(&bytes) else { return false };
    let answer = serde_json::to_vec(&evaluate(&job)).expect("an answer has text keys alone");
    let mut stdout = std::io::stdout();
    stdout.write_all(&answer).and_then(|()| stdout.flush()).is_ok()
}

/// Memory and processor of this process. Where a system has no such limits, the one second remains.
fn bound() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    for (resource, most) in [(Resource::As, MEMORY_MAX), (Resource::Cpu, PROCESSOR_SECONDS_MAX), (Resource::Core, 0)] {
        let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
}
