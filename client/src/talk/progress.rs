//! How far something is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Output, say};

/// Progress of one long step, on stderr.
pub struct Progress {
    output: Output,
    label: String,
    total: u64,
    done: u64,
    /// Tenths reported so far, where lines are written.
    tenths: u64,
    bar: Option<ProgressBar>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Progress({}: {}/{})", self.label, self.done, self.total)
    }
}

impl Progress {
    pub(super) fn new(output: Output, label: &str, total: u64, bar: bool) -> Self {
        let bar = bar.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {eta}");
            bar.set_style(style.expect("a fixed template").progress_chars("=> "));
            bar.set_message(label.to_string());
            bar
        });
        Self { output, label: label.to_string(), total, done: 0, tenths: 0, bar }
    }

    /// So many more are done.
    pub fn add(&mut self, count: u64) {
        self.done = self.done.saturating_add(count);
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return;
        }
        let tenths = self.done.min(self.total).saturating_mul(10).checked_div(self.total).unwrap_or(10);
        if tenths > self.tenths && !self.output.is_json() {
            self.tenths = tenths;
            let args: &[(&str, &dyn std::fmt::Display)] =
                &[("label", &self.label), ("done", &self.done), ("total", &self.total)];
            self.output.talk(say("progress.line", args));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_are_at_most_ten_lines_and_none_with_json() {
        let (output, captured) = Output::captured(false);
        let mut progress = output.progress("issuing", 1000);
        (0..1000).for_each(|_| progress.add(1));
        assert_eq!(captured.talk().lines().count(), 10);
        assert!(captured.talk().ends_with("issuing: 1000/1000\n"));
        let (output, captured) = Output::captured(true);
        output.progress("issuing", 0).add(5);
        assert_eq!(captured.talk(), "");
    }
}
