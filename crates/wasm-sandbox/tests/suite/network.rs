//! The network grant, tried by a guest with real sockets against a real listener.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use wasm_sandbox::{
    Backend, Capabilities, NetworkGrant, NetworkTarget, Value, WasmInstance, WasmInstanceExt,
};

use crate::fixtures::{executor, instance_with, limits, runtime};

/// Connects by TCP, waits until it is decided, and answers 0 or one more than WASI's error code.
const CONNECTS: &str = r#"(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "input-stream" (type (sub resource)))
    (export "output-stream" (type (sub resource)))))
  (alias export $streams "input-stream" (type $input))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type (sub resource)))
    (type $code (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory"
      "timeout" "concurrency-conflict" "not-in-progress" "would-block" "invalid-state"
      "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large"
      "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $code)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family)))
    (type $v4' (tuple u8 u8 u8 u8))
    (export "ipv4-address" (type $v4 (eq $v4')))
    (type $v6' (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $v6 (eq $v6')))
    (type $at4' (record (field "port" u16) (field "address" $v4)))
    (export "ipv4-socket-address" (type $at4 (eq $at4')))
    (type $at6' (record (field "port" u16) (field "flow-info" u32) (field "address" $v6) (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $at6 (eq $at6')))
    (type $at (variant (case "ipv4" $at4) (case "ipv6" $at6)))
    (export "ip-socket-address" (type (eq $at)))))
  (alias export $network "network" (type $net))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (alias export $network "ip-socket-address" (type $at))
  (import "wasi:sockets/instance-network@0.2.0" (instance $ambient
    (export "network" (type $n (eq $net)))
    (export "instance-network" (func (result (own $n))))))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (export "network" (type $n (eq $net)))
    (export "error-code" (type $c (eq $code)))
    (export "ip-socket-address" (type $a (eq $at)))
    (export "pollable" (type $p (eq $pollable)))
    (export "input-stream" (type $i (eq $input)))
    (export "output-stream" (type $o (eq $output)))
    (export "tcp-socket" (type $s (sub resource)))
    (export "[method]tcp-socket.start-connect" (func (param "self" (borrow $s)) (param "network" (borrow $n))
      (param "remote-address" $a) (result (result (error $c)))))
    (export "[method]tcp-socket.finish-connect" (func (param "self" (borrow $s))
      (result (result (tuple (own $i) (own $o)) (error $c)))))
    (export "[method]tcp-socket.subscribe" (func (param "self" (borrow $s)) (result (own $p))))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (export "error-code" (type $c (eq $code)))
    (export "ip-address-family" (type $f (eq $family)))
    (export "tcp-socket" (type $s (eq $socket)))
    (export "create-tcp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
  (core module $mem (memory (export "memory") 1))
  (core instance $mem (instantiate $mem))
  (core func $create (canon lower (func $create "create-tcp-socket") (memory (core memory $mem "memory"))))
  (core func $ambient (canon lower (func $ambient "instance-network")))
  (core func $start (canon lower (func $tcp "[method]tcp-socket.start-connect") (memory (core memory $mem "memory"))))
  (core func $finish (canon lower (func $tcp "[method]tcp-socket.finish-connect") (memory (core memory $mem "memory"))))
  (core func $subscribe (canon lower (func $tcp "[method]tcp-socket.subscribe")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop (canon resource.drop $pollable))
  (core module $guest
    (import "h" "memory" (memory 1))
    (import "h" "create" (func $create (param i32 i32)))
    (import "h" "ambient" (func $ambient (result i32)))
    (import "h" "start" (func $start
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "h" "finish" (func $finish (param i32 i32)))
    (import "h" "subscribe" (func $subscribe (param i32) (result i32)))
    (import "h" "block" (func $block (param i32)))
    (import "h" "drop" (func $drop (param i32)))
    (func $socket (param $family i32) (result i32)
      (call $create (local.get $family) (i32.const 0))
      (if (result i32) (i32.load8_u (i32.const 0))
        (then (i32.const -1))
        (else (i32.load (i32.const 4)))))
    (func $uncreated (result i32) (i32.add (i32.const 1) (i32.load8_u (i32.const 4))))
    (func $outcome (param $socket i32) (result i32) (local $pollable i32)
      (if (i32.load8_u (i32.const 16))
        (then (return (i32.add (i32.const 1) (i32.load8_u (i32.const 17))))))
      (loop $again
        (call $finish (local.get $socket) (i32.const 32))
        (if (i32.load8_u (i32.const 32))
          (then
            (if (i32.ne (i32.load8_u (i32.const 36)) (i32.const 8))
              (then (return (i32.add (i32.const 1) (i32.load8_u (i32.const 36))))))
            (local.set $pollable (call $subscribe (local.get $socket)))
            (call $block (local.get $pollable))
            (call $drop (local.get $pollable))
            (br $again))))
      (i32.const 0))
    (func (export "connect4") (param $port i32) (param i32 i32 i32 i32) (result i32) (local $socket i32)
      (local.set $socket (call $socket (i32.const 0)))
      (if (i32.eq (local.get $socket) (i32.const -1)) (then (return (call $uncreated))))
      (call $start (local.get $socket) (call $ambient) (i32.const 0) (local.get $port)
        (local.get 1) (local.get 2) (local.get 3) (local.get 4)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
      (call $outcome (local.get $socket)))
    (func (export "connect6") (param $port i32) (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $socket i32)
      (local.set $socket (call $socket (i32.const 1)))
      (if (i32.eq (local.get $socket) (i32.const -1)) (then (return (call $uncreated))))
      (call $start (local.get $socket) (call $ambient) (i32.const 1) (local.get $port) (i32.const 0)
        (local.get 1) (local.get 2) (local.get 3) (local.get 4)
        (local.get 5) (local.get 6) (local.get 7) (local.get 8) (i32.const 0) (i32.const 16))
      (call $outcome (local.get $socket))))
  (core instance $guest (instantiate $guest (with "h" (instance
    (export "memory" (memory $mem "memory"))
    (export "create" (func $create)) (export "ambient" (func $ambient)) (export "start" (func $start))
    (export "finish" (func $finish)) (export "subscribe" (func $subscribe)) (export "block" (func $block))
    (export "drop" (func $drop))))))
  (func (export "connect4") (param "port" u32) (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32)
    (result u32) (canon lift (core func $guest "connect4")))
  (func (export "connect6") (param "port" u32) (param "s0" u32) (param "s1" u32) (param "s2" u32)
    (param "s3" u32) (param "s4" u32) (param "s5" u32) (param "s6" u32) (param "s7" u32)
    (result u32) (canon lift (core func $guest "connect6")))
)"#;

/// What the guest answers when the sandbox refuses.
const DENIED: u32 = 2;

fn guest(network: NetworkGrant) -> Box<dyn WasmInstance> {
    let capabilities = Capabilities {
        network,
        ..Capabilities::minimal()
    };
    let runtime = runtime(Backend::Wasmtime);
    instance_with(&*runtime, CONNECTS, limits(), capabilities).expect("the guest is made")
}

fn tcp(targets: &[String]) -> NetworkGrant {
    let parse = |target: &String| NetworkTarget::parse(target).expect("a target");
    NetworkGrant {
        tcp: targets.iter().map(parse).collect(),
        ..NetworkGrant::default()
    }
}

/// Connects from the guest; every call has a socket of its own.
fn connect4(guest: &dyn WasmInstance, port: u16, ip: Ipv4Addr) -> u32 {
    let [a, b, c, d] = ip.octets();
    let params: Vec<Value> = [u32::from(port), a.into(), b.into(), c.into(), d.into()]
        .map(Value::U32)
        .into();
    answer(guest, "connect4", &params)
}

fn connect6(guest: &dyn WasmInstance, port: u16, segments: [u16; 8]) -> u32 {
    let segments = segments.map(|segment| Value::U32(segment.into()));
    let params = [&[Value::U32(port.into())][..], &segments].concat();
    answer(guest, "connect6", &params)
}

fn answer(guest: &dyn WasmInstance, name: &str, params: &[Value]) -> u32 {
    let results = guest.function_caller().call_blocking(name, params);
    match results.expect("the guest comes back").as_slice() {
        [Value::U32(answer)] => *answer,
        other => panic!("{other:?} is not an answer"),
    }
}

/// A listener on every address of this machine, so that only the policy can be what refuses.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    listener.set_nonblocking(true).expect("it can be polled");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

fn connections(listener: &TcpListener) -> usize {
    let mut count = 0;
    loop {
        match listener.accept() {
            Ok(_) => count += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

/// `::ffff:127.0.0.1`
const MAPPED: [u16; 8] = [0, 0, 0, 0, 0, 0xffff, 0x7f00, 1];

#[test]
fn a_granted_address_is_reached_and_no_other() {
    let (listener, port) = listener();
    let guest = guest(tcp(&[format!("127.0.0.1:{port}")]));
    assert_eq!(connect4(&*guest, port, Ipv4Addr::LOCALHOST), 0);
    assert_eq!(connections(&listener), 1, "the guest's own connection");
    // The same machine by another address, and another port of the same address.
    assert_eq!(connect4(&*guest, port, Ipv4Addr::new(127, 0, 0, 2)), DENIED);
    let (other, other_port) = self::listener();
    assert_eq!(connect4(&*guest, other_port, Ipv4Addr::LOCALHOST), DENIED);
    assert_eq!((connections(&listener), connections(&other)), (0, 0));
}

#[test]
fn without_a_grant_no_address_is_reached() {
    let (listener, port) = listener();
    let guest = guest(NetworkGrant::default());
    assert_ne!(connect4(&*guest, port, Ipv4Addr::LOCALHOST), 0);
    assert_ne!(connect6(&*guest, port, MAPPED), 0);
    assert_eq!(connections(&listener), 0);
}

#[test]
fn a_name_that_resolves_to_a_loopback_address_opens_nothing() {
    let (listener, port) = listener();
    let guest = guest(tcp(&[format!("localhost:{port}")]));
    assert_eq!(connect4(&*guest, port, Ipv4Addr::LOCALHOST), DENIED);
    assert_ne!(connect6(&*guest, port, [0, 0, 0, 0, 0, 0, 0, 1]), 0);
    assert_eq!(connections(&listener), 0);
}

#[test]
fn an_address_in_disguise_opens_nothing() {
    let (listener, port) = listener();
    // Granted are another port of this address, and this port by name.
    let guest = guest(tcp(&["127.0.0.1:1".into(), format!("localhost:{port}")]));
    assert_ne!(connect6(&*guest, port, MAPPED), 0, "IPv4 in IPv6");
    assert_ne!(
        connect6(&*guest, port, [0, 0, 0, 0, 0, 0, 0x7f00, 1]),
        0,
        "IPv4-compatible"
    );
    assert_ne!(
        connect6(&*guest, port, [0x64, 0xff9b, 0, 0, 0, 0, 0x7f00, 1]),
        0,
        "NAT64"
    );
    assert_ne!(connect4(&*guest, port, Ipv4Addr::UNSPECIFIED), 0);
    assert_eq!(connections(&listener), 0);
}

#[test]
fn a_connection_made_by_an_asynchronous_call_is_driven_by_the_sandbox() {
    let (listener, port) = listener();
    let guest = guest(tcp(&[format!("127.0.0.1:{port}")]));
    let params = (port, 127, 0, 0, 1);
    let call = guest.call_function::<_, u32>("connect4", &params);
    assert_eq!(executor().block_on(call).expect("it comes back"), 0);
    assert_eq!(connections(&listener), 1);
}
