//! OpenWrt's package: the init script by BusyBox' shell and a stand-in for what OpenWrt gives it, and the Makefile by a
//! stand-in for its build system.

use std::fs;
use std::process::Command;
use std::process::Output;

use super::both;
use super::deploy;
use super::says;
use crate::running::Directory;
use crate::running::WEIR;
use crate::running::installed;
use crate::support::skip;

const RC_COMMON: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/live/deploy/rc.common.sh"
);

fn ash() -> Command {
    let mut shell = Command::new("busybox");
    shell.arg("ash");
    shell
}

/// What procd is told when the service is started with these settings.
fn start(settings: &str) -> Output {
    let directory = Directory::new();
    let export = directory.0.join("export");
    fs::write(&export, settings).unwrap();
    let init = deploy("openwrt/files/weir.init");
    ash()
        .args([RC_COMMON.as_ref(), init.as_path(), export.as_path()])
        .arg("start")
        .current_dir(&directory.0)
        .output()
        .unwrap()
}

fn told(settings: &str) -> Vec<String> {
    let output = start(settings);
    let said = both(&output);
    assert!(output.status.success(), "{settings}: {said}");
    said.lines().map(str::to_string).collect()
}

/// The words of the command line after the program.
fn flags(told: &[String]) -> Vec<String> {
    let mut words = told
        .iter()
        .filter_map(|line| line.strip_prefix("command "))
        .map(str::to_string);
    assert_eq!(words.next().as_deref(), Some("/usr/bin/weir"));
    words.collect()
}

/// What weir itself says of a command line.
fn check(flags: &[String]) {
    says(Command::new(WEIR).args(flags).arg("--check-config"));
}

#[test]
fn the_shell_of_a_router_can_read_the_scripts() {
    if !installed("busybox") {
        return skip("busybox is not installed");
    }
    for script in [deploy("openwrt/files/weir.init"), RC_COMMON.into()] {
        assert_eq!(says(ash().arg("-n").arg(script)), "");
    }
}

#[test]
fn what_the_package_brings_starts_weir() {
    if !installed("busybox") {
        return skip("busybox is not installed");
    }
    // Without the comments this is what `uci export` prints.
    let settings = fs::read_to_string(deploy("openwrt/files/weir.config")).unwrap();
    let told = told(&settings);
    assert_eq!(
        told,
        [
            "instance main",
            "command /usr/bin/weir",
            "command --web.listen-address=:2112",
            "command --collector.wifi",
            "command --log.level=warn",
            "user nobody",
            "no_new_privs 1",
            "stderr 1",
            "respawn 3600",
            "respawn 5",
            "respawn 0",
            "end",
            "trigger weir",
        ]
    );
    check(&flags(&told));

    // And so do the lines that are comments there, one after the other.
    for line in settings.lines().map(str::trim) {
        let Some(line) = line.strip_prefix('#') else {
            continue;
        };
        if !line.starts_with("list ") {
            continue;
        }
        let told = self::told(&format!("config weir 'main'\n{line}\n"));
        assert_eq!(flags(&told).len(), 1, "{line}");
        check(&flags(&told));
    }
}

#[test]
fn every_value_is_one_argument_whatever_is_in_it() {
    if !installed("busybox") {
        return skip("busybox is not installed");
    }
    let told = told(
        r#"package weir

config weir 'main'
	option enabled 'yes'
	list listen_address '192.168.1.1:2112'
	list listen_address '[fd00::1]:2112'
	list listen_address 'unix:/var/run/we ir.sock'
	list collector 'wifi'
	list collector 'connections'
	list no_collector 'arp'
	option user 'root'
	option config_file '/etc/my weir.yml'
	list flag 'collector.netdev.device-exclude=^(a b|c*|$HOME|`id`|$(touch here))$'
	list flag '--collector.dns.record=example.org,TXT,it'\''s "so" \ 100%'
	list flag 'companion'
	list flag ''
"#,
    );
    assert_eq!(
        flags(&told),
        [
            "--web.listen-address=192.168.1.1:2112",
            "--web.listen-address=[fd00::1]:2112",
            "--web.listen-address=unix:/var/run/we ir.sock",
            "--collector.wifi",
            "--collector.connections",
            "--no-collector.arp",
            "--config.file=/etc/my weir.yml",
            "--collector.netdev.device-exclude=^(a b|c*|$HOME|`id`|$(touch here))$",
            r#"--collector.dns.record=example.org,TXT,it's "so" \ 100%"#,
            "--companion",
        ]
    );
    for expected in ["user root", "file /etc/my weir.yml"] {
        assert!(told.iter().any(|line| line == expected), "{told:?}");
    }
}

#[test]
fn what_is_switched_off_is_not_started() {
    if !installed("busybox") {
        return skip("busybox is not installed");
    }
    for off in ["0", "off", "false", "no", "disabled"] {
        let settings = format!("config weir 'main'\n\toption enabled '{off}'\n");
        assert_eq!(told(&settings), ["trigger weir"], "{off}");
    }
    assert_eq!(told(""), ["trigger weir"]);
    // A section is enabled unless it says otherwise; two of them are two instances.
    let told = told("config weir 'main'\n\nconfig weir\n\tlist listen_address ':2113'\n");
    let instances = told.iter().filter(|line| line.starts_with("instance "));
    assert_eq!(
        instances.collect::<Vec<_>>(),
        ["instance main", "instance cfg1"]
    );
}

/// As much of OpenWrt's build system as the package's Makefile asks for: BuildPackage makes `install` run its recipes.
const RULES: &str = r#"
ARCH ?= mipsel
INSTALL_DIR = install -d -m0755
INSTALL_BIN = install -m0755
INSTALL_CONF = install -m0600
INCLUDE_DIR = $(TOPDIR)
PKG_BUILD_DIR = $(TOPDIR)/build
"#;
const PACKAGE: &str = r"
define BuildPackage
$(eval $(call Package/$(1)))
$(if $(TITLE),,$(error no title))
$(if $(findstring @,$(DEPENDS)),,$(error no architecture is named))
.PHONY: install
install:
	$(Build/Prepare)
	$(Build/Configure)
	$(Build/Compile)
	$(call Package/$(1)/install,$(TOPDIR)/root)
endef
";

#[test]
fn the_makefile_packs_what_the_router_needs() {
    if !installed("make") {
        return skip("make is not installed");
    }
    let top = Directory::new();
    fs::write(top.0.join("rules.mk"), RULES).unwrap();
    fs::write(top.0.join("package.mk"), PACKAGE).unwrap();
    let package = top.0.join("package");
    fs::create_dir_all(package.join("files")).unwrap();
    fs::copy(deploy("openwrt/Makefile"), package.join("Makefile")).unwrap();
    for name in ["weir.init", "weir.config"] {
        let from = deploy("openwrt/files").join(name);
        fs::copy(from, package.join("files").join(name)).unwrap();
    }
    let make = |arch: &str| {
        let mut make = Command::new("make");
        make.arg("--silent")
            .arg("-C")
            .arg(&package)
            .arg(format!("TOPDIR={}", top.0.display()))
            .arg(format!("ARCH={arch}"))
            .arg("install");
        make
    };
    // Without a binary it says which one is wanted.
    let said = both(&make("arm").output().unwrap());
    assert!(
        said.contains("files/weir-armv7 is missing: deploy/static/build.sh armv7 builds it"),
        "{said}"
    );
    fs::write(package.join("files/weir-mipsel"), "a program").unwrap();
    assert_eq!(says(&mut make("mipsel")), "");
    assert_eq!(
        super::files(&top.0.join("root")),
        [
            "etc/config/weir 600",
            "etc/init.d/weir 755",
            "usr/bin/weir 755"
        ]
    );
    let makefile = fs::read_to_string(deploy("openwrt/Makefile")).unwrap();
    let version = format!("\nPKG_VERSION:={}\n", env!("CARGO_PKG_VERSION"));
    assert!(makefile.contains(&version), "expected {version}");
}
