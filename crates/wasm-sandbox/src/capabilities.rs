//! What an instance may reach outside itself.
//!
//! Nothing is granted unless it is named here. A runtime that cannot enforce a grant refuses it when
//! the instance is created, so what is granted always holds.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::{Error, Result};

/// Access to a directory.
///
/// ```
/// use wasm_sandbox::{Access, Capabilities};
///
/// let capabilities = Capabilities::minimal()
///     .with_directory("/srv/data", "/data", Access::ReadOnly)
///     .with_directory("/srv/scratch", "/tmp", Access::ReadWrite);
/// assert_eq!(capabilities.directories[1].access, Access::ReadWrite);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// List and read.
    ReadOnly,
    /// List, read, create, change and delete.
    ReadWrite,
}

/// A directory of the host that the guest sees under another path.
///
/// Written as errors name it: ``directory `HOST` ``.
///
/// Paths are resolved beneath the directory's handle: neither `..` nor a symbolic link leads out.
///
/// ```
/// use wasm_sandbox::{Access, Capabilities};
///
/// let capabilities = Capabilities::minimal().with_directory("/srv/data", "/data", Access::ReadOnly);
/// let grant = &capabilities.directories[0];
/// assert_eq!((grant.guest.as_str(), grant.access), ("/data", Access::ReadOnly));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryGrant {
    /// The directory on the host.
    pub host: PathBuf,
    /// The path under which the guest sees it.
    pub guest: String,
    /// What may be done there.
    pub access: Access,
}

impl fmt::Display for DirectoryGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "directory `{}`", self.host.display())
    }
}

/// Where the guest may connect to.
///
/// ```
/// use wasm_sandbox::NetworkTarget;
///
/// let address = NetworkTarget::parse("[::1]:80")?;
/// assert_eq!(address, NetworkTarget::Address("[::1]:80".parse().expect("an address")));
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NetworkTarget {
    /// This address and port. IPv4-mapped IPv6 addresses count as the IPv4 address they stand for.
    Address(SocketAddr),
    /// Every address that the *host* resolves this name to when the guest connects, provided it is a
    /// public one: a name never opens loopback, private or link-local addresses.
    Name(String, u16),
}

impl NetworkTarget {
    /// Parses `host:port`, `1.2.3.4:port` or `[v6]:port`.
    ///
    /// ```
    /// use wasm_sandbox::NetworkTarget;
    ///
    /// assert_eq!(NetworkTarget::parse("example.org:443")?, NetworkTarget::Name("example.org".into(), 443));
    /// assert!(NetworkTarget::parse("example.org").is_err());
    /// # Ok::<(), wasm_sandbox::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] when there is no port or no host.
    pub fn parse(text: &str) -> Result<Self> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let invalid = || Error::InvalidCapability {
            capability: format!("network `{text}`"),
            reason: "expected `host:port`".into(),
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let is_name = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if host.is_empty() || !is_name {
            return Err(invalid());
        }
        Ok(Self::Name(host.into(), port))
    }
}

/// Which network the guest may use. TCP and UDP clients only: a guest never listens.
///
/// ```
/// use wasm_sandbox::{Capabilities, NetworkGrant, NetworkTarget};
///
/// let network = NetworkGrant {
///     tcp: vec![NetworkTarget::parse("192.0.2.7:5432")?, NetworkTarget::parse("example.org:443")?],
///     ..NetworkGrant::default()
/// };
/// let capabilities = Capabilities { network, ..Capabilities::minimal() };
/// assert!(!capabilities.network.is_empty());
/// # Ok::<(), wasm_sandbox::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkGrant {
    /// Where TCP may connect to.
    pub tcp: Vec<NetworkTarget>,
    /// Where UDP may send to and receive from.
    pub udp: Vec<NetworkTarget>,
    /// Whether the guest may ask the host's resolver. Every question leaves the machine, so this is
    /// also a channel out of the sandbox.
    pub dns: bool,
}

impl NetworkGrant {
    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty() && !self.dns
    }
}

/// The clocks that the guest sees.
///
/// ```
/// use wasm_sandbox::{Capabilities, Clocks};
///
/// assert_eq!(Capabilities::minimal().clocks, Clocks::Frozen);
/// let timed = Capabilities { clocks: Clocks::System, ..Capabilities::minimal() };
/// assert_ne!(timed, Capabilities::minimal());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Clocks {
    /// Clocks that stand at zero; sleeping still takes its time.
    #[default]
    Frozen,
    /// The host's clocks.
    System,
}

/// The random numbers that the guest sees.
///
/// ```
/// use wasm_sandbox::{Capabilities, Clocks, Random};
///
/// // Nothing here lets the guest tell one run from another.
/// assert_eq!(Capabilities::minimal().random, Random::Seeded(0));
/// let like_a_program =
///     Capabilities { random: Random::System, clocks: Clocks::System, ..Capabilities::minimal() };
/// assert_ne!(like_a_program, Capabilities::minimal());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Random {
    /// A sequence that is the same for every instance with this seed. Not for secrets.
    Seeded(u64),
    /// The host's cryptographic generator.
    System,
}

/// What becomes of a standard stream.
///
/// ```
/// use wasm_sandbox::{Capabilities, Stdio};
///
/// let quiet = Capabilities { stderr: Stdio::Inherit, ..Capabilities::minimal() };
/// assert_eq!((quiet.stdout, quiet.stderr), (Stdio::Null, Stdio::Inherit));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stdio {
    /// Thrown away.
    #[default]
    Null,
    /// Kept for [`WasmInstance::output`](crate::WasmInstance::output), up to
    /// [`ResourceLimits::output_bytes`](crate::ResourceLimits::output_bytes).
    Capture,
    /// Passed on to the host's stream.
    Inherit,
}

/// What the guest reads as its standard input.
///
/// ```
/// use wasm_sandbox::{Capabilities, Stdin};
///
/// let typed = Capabilities { stdin: b"typed\n".to_vec().into(), ..Capabilities::minimal() };
/// assert_eq!(typed.stdin, Stdin::Bytes(b"typed\n".to_vec()));
/// assert_eq!(Capabilities::minimal().stdin, Stdin::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// These bytes, then its end.
    Bytes(Vec<u8>),
    /// The host's own, as it comes.
    Inherit,
}

impl Default for Stdin {
    /// Nothing.
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl From<Vec<u8>> for Stdin {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Which of the runtime's host functions may be imported.
///
/// ```
/// use wasm_sandbox::{Capabilities, Error, HostFunctions, HostGrant, ResourceLimits, RuntimeConfig, create_runtime};
///
/// let mut host_functions = HostFunctions::default();
/// host_functions.add("env", "open_door", |(): ()| Ok(()));
/// let runtime = create_runtime(&RuntimeConfig { host_functions, ..RuntimeConfig::default() })?;
/// let module = runtime.load_module(&wat::parse_str(r#"(module (import "env" "open_door" (func)))"#)?)?;
/// let make = |host_functions| {
///     let capabilities = Capabilities { host_functions, ..Capabilities::minimal() };
///     runtime.create_instance(module.as_ref(), ResourceLimits::default(), capabilities)
/// };
/// make(HostGrant::Only(vec!["env#open_door".into()]))?;
/// assert!(matches!(make(HostGrant::Only(vec![])), Err(Error::InvalidCapability { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostGrant {
    /// All that the runtime registered.
    #[default]
    All,
    /// These, written `interface#name`.
    Only(Vec<String>),
}

/// What an instance may reach.
///
/// ```
/// use wasm_sandbox::{Access, Capabilities, Clocks, Stdio};
///
/// let capabilities = Capabilities {
///     clocks: Clocks::System,
///     ..Capabilities::minimal()
/// }
/// .with_directory("/srv/data", "/data", Access::ReadOnly)
/// .with_env("LANG", "C")
/// .with_captured_output();
/// assert_eq!(capabilities.directories.len(), 1);
/// assert_eq!(capabilities.stdout, Stdio::Capture);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Directories.
    pub directories: Vec<DirectoryGrant>,
    /// The environment, complete.
    pub env: Vec<(String, String)>,
    /// Names of the host's variables to copy into the environment, where they are set.
    pub inherit_env: Vec<String>,
    /// The command line.
    pub args: Vec<String>,
    /// Network.
    pub network: NetworkGrant,
    /// Clocks.
    pub clocks: Clocks,
    /// Random numbers.
    pub random: Random,
    /// What the guest reads as its standard input.
    pub stdin: Stdin,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
    /// Host functions.
    pub host_functions: HostGrant,
}

impl Capabilities {
    /// Nothing but the runtime's host functions: no files, no environment, no network, frozen clocks,
    /// seeded random numbers, output thrown away.
    #[must_use]
    pub fn minimal() -> Self {
        Self {
            directories: Vec::new(),
            env: Vec::new(),
            inherit_env: Vec::new(),
            args: Vec::new(),
            network: NetworkGrant::default(),
            clocks: Clocks::Frozen,
            random: Random::Seeded(0),
            stdin: Stdin::default(),
            stdout: Stdio::Null,
            stderr: Stdio::Null,
            host_functions: HostGrant::All,
        }
    }

    /// Adds a directory.
    #[must_use]
    pub fn with_directory(mut self, host: impl Into<PathBuf>, guest: &str, access: Access) -> Self {
        self.directories.push(DirectoryGrant {
            host: host.into(),
            guest: guest.into(),
            access,
        });
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Captures standard output and error.
    #[must_use]
    pub fn with_captured_output(mut self) -> Self {
        (self.stdout, self.stderr) = (Stdio::Capture, Stdio::Capture);
        self
    }

    /// The environment that the guest sees: the copied variables, then the given ones.
    ///
    /// ```
    /// use wasm_sandbox::Capabilities;
    ///
    /// let capabilities = Capabilities::minimal().with_env("LANG", "C").with_env("LANG", "de");
    /// assert_eq!(capabilities.environment(), [("LANG".into(), "de".into())]);
    /// ```
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let inherited = self
            .inherit_env
            .iter()
            .filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in inherited.chain(self.env.iter().cloned()) {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => all.push((name, value)),
            }
        }
        all
    }

    /// Refuses what no runtime can pass on: `\0` in variables and arguments, `=` in names.
    ///
    /// ```
    /// use wasm_sandbox::Capabilities;
    ///
    /// assert!(Capabilities::minimal().with_env("LANG", "C").validate().is_ok());
    /// assert!(Capabilities::minimal().with_env("A=B", "C").validate().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`].
    pub fn validate(&self) -> Result<()> {
        let invalid = |capability: String, reason: &str| {
            Err(Error::InvalidCapability {
                capability,
                reason: reason.into(),
            })
        };
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return invalid(
                    format!("environment variable `{name:?}`"),
                    "names must not hold `=`, and neither part `\\0`",
                );
            }
        }
        if let Some(arg) = self.args.iter().find(|arg| arg.contains('\0')) {
            return invalid(format!("argument `{arg:?}`"), "it holds `\\0`");
        }
        for directory in &self.directories {
            if directory.guest.is_empty() {
                return invalid(directory.to_string(), "its guest path is empty");
            }
        }
        Ok(())
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::minimal()
    }
}

/// Whether `address` is permitted by `targets`, given what the host's resolver says about names.
///
/// Pure, so that the policy can be tested without a network.
pub(crate) fn permits(
    targets: &[NetworkTarget],
    address: SocketAddr,
    resolve: &mut dyn FnMut(&str, u16) -> Vec<IpAddr>,
) -> bool {
    let ip = address.ip().to_canonical();
    targets.iter().any(|target| match target {
        NetworkTarget::Address(allowed) => {
            allowed.ip().to_canonical() == ip && allowed.port() == address.port()
        }
        NetworkTarget::Name(name, port) => {
            *port == address.port()
                && is_public(ip)
                && resolve(name, *port)
                    .iter()
                    .any(|resolved| resolved.to_canonical() == ip)
        }
    })
}

/// Whether an address may be reached through a *name*: not loopback, private, link-local, shared,
/// multicast, documentation or unspecified.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_unspecified()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            // Addresses that embed an IPv4 one are judged by it: NAT64 and 6to4.
            let embedded = match ip.segments() {
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(
                    std::net::Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)),
                ),
                _ => None,
            };
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || (first == 0x2001 && ip.segments()[1] == 0xdb8))
                && embedded.is_none_or(|ip| is_public(ip.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(target: &str, address: &str, resolved: &[&str]) -> bool {
        let target = NetworkTarget::parse(target).expect("the test's target is well-formed");
        let resolved: Vec<IpAddr> = resolved
            .iter()
            .map(|ip| ip.parse().expect("an address"))
            .collect();
        permits(
            &[target],
            address.parse().expect("an address"),
            &mut |_, _| resolved.clone(),
        )
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        assert!(permitted("127.0.0.1:80", "127.0.0.1:80", &[]));
        assert!(permitted("127.0.0.1:80", "[::ffff:127.0.0.1]:80", &[]));
        assert!(permitted("[::ffff:127.0.0.1]:80", "127.0.0.1:80", &[]));
        assert!(!permitted("127.0.0.1:80", "127.0.0.1:81", &[]));
        assert!(!permitted("127.0.0.1:80", "127.0.0.2:80", &[]));
    }

    #[test]
    fn a_name_opens_what_it_resolves_to_and_nothing_private() {
        let public = "93.184.216.34";
        assert!(permitted("example.org:443", "93.184.216.34:443", &[public]));
        assert!(permitted(
            "example.org:443",
            "[::ffff:93.184.216.34]:443",
            &[public]
        ));
        assert!(!permitted(
            "example.org:443",
            "93.184.216.35:443",
            &[public]
        ));
        assert!(!permitted("example.org:443", "93.184.216.34:80", &[public]));
        for rebound in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            let ip: IpAddr = rebound.parse().expect("an address");
            let address = SocketAddr::new(ip, 443).to_string();
            assert!(
                !permitted("example.org:443", &address, &[rebound]),
                "{rebound} was opened by a name"
            );
        }
    }

    #[test]
    fn malformed_grants_are_refused() {
        for text in [
            "",
            "host",
            ":80",
            "host:",
            "host:99999",
            "ho st:1",
            "[::1]",
            "a:b:80",
        ] {
            assert!(NetworkTarget::parse(text).is_err(), "{text:?} was accepted");
        }
        let zero = Capabilities::minimal().with_env("A\0B", "");
        assert!(matches!(
            zero.validate(),
            Err(Error::InvalidCapability { .. })
        ));
    }
}
