/*
 * manager.js: what a service manager does: it opens sockets, starts a bridge with
 * them, starts it anew, and is told how it fares.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Program, guardDirectory } from './programs.js'
import { Recorder } from './recorder.js'

/** Node has no datagram sockets of Unix. */
const LISTENER = String.raw`
  use strict; use Socket; $| = 1;
  socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!;
  bind($s, sockaddr_un($ARGV[0])) or die $!;
  print STDERR "bound\n";
  while (defined recv($s, my $text, 65536, 0)) { $text =~ s/\n/\\n/g; print STDERR "$text\n" }
`

/** What a bridge tells: { READY: '1' }, { STATUS: … }, in the order in which it came. */
export class NotifySocket {
  told = new Recorder()
  #guard
  #program

  static async open() {
    const socket = new NotifySocket()
    const dir = mkdtempSync(join(tmpdir(), 'sync-progress-notify.'))
    socket.#guard = guardDirectory(dir)
    socket.path = join(dir, 'socket')
    socket.#program = new Program('perl', ['-e', LISTENER, socket.path])
    await socket.#program.lines.find(line => line === 'bound', 'the socket is there')
    const { lines } = socket.#program
    const put = lines.put.bind(lines)
    lines.put = line => {
      put(line)
      socket.told.put(Object.fromEntries(line.split('\\n').map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])))
    }
    return socket
  }

  find(key, passes = () => true, options) {
    return this.told.find(message => key in message && passes(message[key]), `${key} is told`, options)
  }

  async close() {
    await this.#program.end('SIGKILL')
    await this.#guard.release()
  }
}

/** The sockets are its own; a bridge gets them, and with each SIGUSR1 the next one. */
const LAUNCHER = String.raw`
  use strict; use Socket; use Fcntl; use POSIX (); $| = 1;
  my ($what, $program, @args) = @ARGV;
  my @names; my @sockets; my $next = 0;
  for (split /,/, $what) {
    my ($name, $kind) = split /=/;
    my $s;
    if ($kind eq 'tcp') {
      socket($s, PF_INET, SOCK_STREAM, 0) or die $!;
      bind($s, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
      listen($s, 100) or die $!;
    } elsif ($kind eq 'any') {
      socket($s, PF_INET, SOCK_STREAM, 0) or die $!;
      bind($s, sockaddr_in(0, INADDR_ANY)) or die $!;
      listen($s, 100) or die $!;
    } else {
      socket($s, PF_INET, SOCK_DGRAM, 0) or die $!;
      bind($s, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
    }
    my ($port) = sockaddr_in(getsockname($s));
    print STDERR "socket $name $port\n";
    push @names, $name; push @sockets, $s;
  }
  $SIG{USR1} = sub { $next = 1 };
  while (1) {
    my $pid = fork() // die $!;
    if ($pid == 0) {
      my @high = map { fcntl($_, F_DUPFD, 20) // die $! } @sockets;
      for my $i (0 .. $#high) { POSIX::dup2($high[$i], 3 + $i) // die $!; POSIX::close($high[$i]) }
      $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = @sockets; $ENV{LISTEN_FDNAMES} = join ':', @names;
      exec 'setpriv', '--pdeathsig', 'KILL', $program, @args or die $!;
    }
    print STDERR "started $pid\n";
    waitpid $pid, 0;
    print STDERR "ended " . ($? & 127 ? "by signal " . ($? & 127) : $? >> 8) . "\n";
    my $until = time + 20;
    until ($next) { select undef, undef, undef, 0.02; exit if time > $until }
    $next = 0;
  }
`

/** sockets: { name: 'tcp' | 'any' | 'udp' }. */
export class Launcher {
  #program

  static async start(sockets, program, args, options) {
    const launcher = new Launcher()
    const what = Object.entries(sockets).map(([name, kind]) => `${name}=${kind}`).join(',')
    launcher.#program = new Program('perl', ['-e', LAUNCHER, what, program, ...args], options)
    launcher.ports = {}
    for (const name of Object.keys(sockets)) {
      launcher.ports[name] = Number((await launcher.line(new RegExp(`^socket ${name} `))).split(' ')[2])
    }
    await launcher.started()
    return launcher
  }

  get log() {
    return this.#program.log
  }

  line(pattern, nth = 1) {
    let seen = 0
    return this.#program.lines.find(line => pattern.test(line) && ++seen === nth, `a line like ${pattern} (${nth})`)
  }

  /** Its process id, when the n-th bridge has been started. */
  async started(nth = 1) {
    this.pid = Number((await this.line(/^started \d+$/, nth)).split(' ')[1])
    return this.pid
  }

  /** How the n-th one has ended. */
  async ended(nth = 1) {
    return (await this.line(/^ended /, nth)).slice('ended '.length)
  }

  /** The next one. */
  next() {
    process.kill(this.#program.pid, 'SIGUSR1')
  }

  async stop() {
    try {
      process.kill(this.pid, 'SIGKILL')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
    await this.#program.end('SIGKILL')
  }
}
