//! Shell: `readyd install` and `uninstall`: looks at the files of a host, shows the plan, and carries it out when told to.
//!
//! The record of what was written is renewed before the first change and after the last: whenever this is killed, the next run
//! knows what is readyd's.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: writes the files that were asked for, runs what makes them take effect"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};

use super::arguments::{Install, Target, Uninstall};
use super::{Outcome, USAGE, generate};
use crate::account;
use crate::install::layout::{self, Content, Step, Supervisor, Wanted};
use crate::install::plan::{self, Action, Change, Found, Host};
use crate::install::record::Record;
use crate::install::{Sum, summed};

/// What is longer is no text of ours, and not compared line by line.
const TEXT_BYTES_MAX: u64 = 256 * 1024;
const RECORD_BYTES_MAX: u64 = 1024 * 1024;

/// A host, or a directory that stands for one.
struct Place<'a> {
    target: &'a Target,
    supervisor: Supervisor,
    wanted: Vec<Wanted>,
}

pub fn install(options: &Install) -> Outcome {
    let place = Place::of(&options.target)?;
    place.refuse_what_is_not_ours()?;
    let before = place.record()?;
    let paths = before.iter().flat_map(|record| record.files.keys());
    let host = place.look(paths)?;
    let changes = plan::install(&place.wanted, &host, before.as_ref());
    place.show(&changes);
    let changed = changes.iter().any(Change::is_work);
    let after = layout::after_install(place.supervisor, changed);
    if changed {
        if let Some(code) = place.not_now()? {
            return Ok(code);
        }
        let record = place.carry_out(&changes, before.as_ref())?;
        place.write_record(&record)?;
        println!("done; `readyd uninstall` takes it back");
    } else {
        println!("nothing to change");
    }
    match options.target.now {
        true => run(&after)?,
        false => say_what_to_run("next, as root:", &after),
    }
    Ok(ExitCode::SUCCESS)
}

pub fn uninstall(options: &Uninstall) -> Outcome {
    let place = Place::of(&options.target)?;
    let Some(before) = place.record()? else {
        let record = place.target.prefix.record();
        println!("nothing to take back: there is no {}", place.shown(&record));
        return Ok(ExitCode::SUCCESS);
    };
    let host = place.look(before.files.keys())?;
    let changes = plan::uninstall(&place.wanted, &host, &before, options.purge);
    place.show(&changes);
    let state: Vec<PathBuf> = layout::state(place.supervisor).iter().map(PathBuf::from).collect();
    let state: Vec<PathBuf> = state.into_iter().filter(|path| place.on(path).exists()).collect();
    for path in &state {
        match options.purge {
            true => println!("remove   {} and all in it", path.display()),
            false => println!("keep     {}: what readyd remembers; --purge removes it", path.display()),
        }
    }
    println!("keep     the user {}", layout::user(place.supervisor));
    if let Some(code) = place.not_now()? {
        return Ok(code);
    }
    if options.target.now {
        run(&layout::before_uninstall(place.supervisor))?;
    } else {
        place.refuse_while_enabled()?;
    }
    let mut record = place.carry_out(&changes, Some(&before))?;
    for path in state.iter().filter(|_| options.purge) {
        let at = place.on(path);
        fs::remove_dir_all(&at).with_context(|| format!("{}", at.display()))?;
        // Its parent may be one that was made for it.
        record.directories.remove(path);
    }
    let of_record = place.on(&place.target.prefix.record());
    fs::remove_file(&of_record).with_context(|| format!("{}", of_record.display()))?;
    for directory in record.directories.iter().rev() {
        // Others may have put something there by now.
        let _ = fs::remove_dir(place.on(directory));
    }
    println!("done");
    let after = layout::after_uninstall(place.supervisor);
    match options.target.now {
        true => run(&after)?,
        false => say_what_to_run("next, as root:", &after),
    }
    Ok(ExitCode::SUCCESS)
}

impl Place<'_> {
    fn of(target: &Target) -> anyhow::Result<Place<'_>> {
        let supervisor = match target.supervisor {
            Some(named) => named,
            None if cfg!(target_vendor = "apple") => Supervisor::Launchd,
            None => Supervisor::Systemd,
        };
        match &target.root {
            Some(root) if !root.is_dir() => bail!("{} is no directory", root.display()),
            None if supervisor == Supervisor::Systemd && !Path::new("/run/systemd/system").is_dir() => bail!(
                "systemd does not run here: start `readyd serve` from your own supervisor, or stage files with --root DIR"
            ),
            _ => {}
        }
        let program = std::env::current_exe().context("where this program lies cannot be told")?;
        let (sum, _) = read(&program)?;
        let wanted = layout::wanted(supervisor, &target.prefix, sum, generate::pages()?);
        Ok(Place {
            target,
            supervisor,
            wanted,
        })
    }

    /// Where a path of the host really is.
    fn on(&self, path: &Path) -> PathBuf {
        match &self.target.root {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    fn shown(&self, path: &Path) -> String {
        self.on(path).display().to_string()
    }

    /// All that is wanted, and what was written before.
    fn look<'p>(&'p self, of_before: impl Iterator<Item = &'p PathBuf>) -> anyhow::Result<Host> {
        let paths: BTreeSet<&PathBuf> = self.wanted.iter().map(|file| &file.path).chain(of_before).collect();
        let mut host = Host::new();
        for path in paths {
            host.insert(path.clone(), found(&self.on(path))?);
        }
        Ok(host)
    }

    fn record(&self) -> anyhow::Result<Option<Record>> {
        let path = self.on(&self.target.prefix.record());
        let mut text = String::new();
        match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.and_then(|file| file.take(RECORD_BYTES_MAX).read_to_string(&mut text)),
        }
        .with_context(|| format!("{}", path.display()))?;
        let record = Record::parse(&text).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?;
        Ok(Some(record))
    }

    fn write_record(&self, record: &Record) -> anyhow::Result<()> {
        let path = self.on(&self.target.prefix.record());
        put(&path, 0o644, &mut record.render().as_bytes())
    }

    fn show(&self, changes: &[Change]) {
        if let Some(root) = &self.target.root {
            println!("below {}:", root.display());
        }
        for change in changes {
            print!("{}", change.line(layout::owner(self.supervisor)));
        }
    }

    /// A package's files and ours would fight over the same names.
    fn refuse_what_is_not_ours(&self) -> anyhow::Result<()> {
        let mut paths: BTreeSet<PathBuf> = self.wanted.iter().map(|file| file.path.clone()).collect();
        paths.extend(layout::of_packages(self.supervisor).iter().map(PathBuf::from));
        let database = self.on(Path::new("/var/lib/dpkg"));
        if !database.join("status").exists() {
            return Ok(());
        }
        let Ok(output) = Command::new("dpkg-query")
            .arg("--admindir")
            .arg(&database)
            .arg("--search")
            .args(paths)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
        else {
            // A database without its program: nobody installs packages here.
            return Ok(());
        };
        match String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(package, _)| !package.starts_with("diversion "))
        {
            Some((package, path)) => bail!(
                "{path} is of the Debian package {package}: let apt install, upgrade and remove it (`apt purge {package}` first, \
                 to install without it)"
            ),
            None => Ok(()),
        }
    }

    fn refuse_while_enabled(&self) -> anyhow::Result<()> {
        let enabled = layout::enabled(self.supervisor).map(|link| self.on(Path::new(link)));
        if let Some(link) = enabled.filter(|link| link.is_symlink()) {
            let first = line(&layout::before_uninstall(self.supervisor));
            bail!(
                "{} starts readyd at boot: run `{first}` first, or say --now",
                link.display()
            );
        }
        Ok(())
    }

    /// Whether it ends here: nothing is to be done, or nobody agrees.
    fn not_now(&self) -> anyhow::Result<Option<ExitCode>> {
        if self.target.dry_run {
            println!("nothing was changed (--dry-run)");
            return Ok(Some(ExitCode::SUCCESS));
        }
        if self.target.root.is_none() && account::own_uid() != 0 {
            bail!(
                "only root may do that: sudo {}",
                std::env::args().collect::<Vec<_>>().join(" ")
            );
        }
        if self.target.yes {
            return Ok(None);
        }
        if !io::stdin().is_terminal() {
            eprintln!("readyd: nobody is there to agree: say --yes");
            return Ok(Some(ExitCode::from(USAGE)));
        }
        print!("Do this? [y/N] ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        match matches!(answer.trim(), "y" | "Y" | "yes") {
            true => Ok(None),
            false => bail!("nothing was changed"),
        }
    }

    /// Does what was shown. The record as it is then; it is not written yet.
    fn carry_out(&self, changes: &[Change], before: Option<&Record>) -> anyhow::Result<Record> {
        let mut under_way = plan::under_way(self.supervisor, changes, &self.wanted, before);
        let record = self.target.prefix.record();
        let written = changes.iter().filter(|change| !matches!(change.action, Action::Remove));
        for path in written
            .filter(|change| change.is_work())
            .map(|change| &change.path)
            .chain([&record])
        {
            self.make_parents(path, &mut under_way.directories)?;
        }
        self.write_record(&under_way)?;
        for change in changes.iter().filter(|change| change.is_work()) {
            let at = self.on(&change.path);
            match self.wanted.iter().find(|file| file.path == change.path) {
                Some(file) if change.action != Action::Remove => match &file.content {
                    Content::Text(text) => put(&at, file.mode, &mut text.as_bytes())?,
                    Content::Program(_) => put(&at, file.mode, &mut fs::File::open(std::env::current_exe()?)?)?,
                },
                _ => fs::remove_file(&at).with_context(|| format!("{}", at.display()))?,
            }
        }
        Ok(plan::done(&under_way, changes, &self.wanted))
    }

    /// Makes the directories above `path` that are missing, and remembers them.
    fn make_parents(&self, path: &Path, made: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
        let missing = |directory: &&Path| !self.on(directory).exists();
        let mut missing: Vec<&Path> = path.ancestors().skip(1).take_while(missing).collect();
        missing.reverse();
        for directory in missing {
            let at = self.on(directory);
            fs::create_dir(&at)
                // Whatever the umask is: others read the manual, too.
                .and_then(|()| fs::set_permissions(&at, fs::Permissions::from_mode(0o755)))
                .with_context(|| format!("{}", at.display()))?;
            made.insert(directory.to_owned());
        }
        Ok(())
    }
}

/// What lies there, links not followed.
fn found(path: &Path) -> anyhow::Result<Found> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
    };
    if !metadata.is_file() {
        return Ok(Found::Other);
    }
    let (sum, text) = read(path)?;
    Ok(Found::File {
        sum,
        mode: metadata.permissions().mode() & 0o7777,
        text,
    })
}

/// A file's sum, and its text when it is a short one.
fn read(path: &Path) -> anyhow::Result<(Sum, Option<String>)> {
    let read = || -> io::Result<(Sum, Option<String>)> {
        let mut file = fs::File::open(path)?;
        if file.metadata()?.len() > TEXT_BYTES_MAX {
            return Ok((summed(&mut file)?, None));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((Sum::of(&bytes), String::from_utf8(bytes).ok()))
    };
    read().with_context(|| format!("{}", path.display()))
}

/// Whole or not at all: written beside, synced, then put in place. A program that runs may be replaced so.
fn put(path: &Path, mode: u32, content: &mut dyn io::Read) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let mut written = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        io::copy(content, &mut file)?;
        file.flush()?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    let outcome = written();
    // Gone already after a rename.
    let _ = fs::remove_file(&beside);
    outcome.with_context(|| format!("{}", path.display()))
}

fn line(steps: &[Step]) -> String {
    let lines: Vec<String> = steps.iter().map(|step| step.command.join(" ")).collect();
    lines.join("; ")
}

fn say_what_to_run(heading: &str, steps: &[Step]) {
    if !steps.is_empty() {
        println!("{heading}");
    }
    for step in steps {
        println!("  {}", step.command.join(" "));
    }
}

/// Errors: one that must not fail has failed.
fn run(steps: &[Step]) -> anyhow::Result<()> {
    for step in steps {
        let Some((program, arguments)) = step.command.split_first() else {
            continue;
        };
        println!("run      {}", step.command.join(" "));
        let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
        let said = match status {
            Ok(status) if status.success() || step.may_fail => continue,
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        bail!("{}: {said}", step.command.join(" "));
    }
    Ok(())
}
