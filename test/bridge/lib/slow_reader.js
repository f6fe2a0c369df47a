/*
 * slow_reader.js: an HTTP client whose kernel takes no more than a few
 * kilobytes while it does not read. Node cannot make its receive buffer small.
 */
import { Program } from './programs.js'
import { Recorder } from './recorder.js'

const SCRIPT = String.raw`
  use strict; use Socket; $| = 1;
  my ($port, $path, $bytes, $first) = @ARGV;
  socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
  setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack("i", $bytes)) or die $!;
  connect($s, sockaddr_in($port, inet_aton('127.0.0.1'))) or die $!;
  syswrite($s, "GET $path HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  my $all = '';
  until ($all =~ /$first/) { sysread($s, $all, 1024, length $all) or die 'closed' }
  print STDERR "stopped\n";
  <STDIN>;
  print $all;
  while (sysread($s, my $some, 65536)) { print $some }
`

export class SlowReader {
  #program

  /** Asks for a stream and reads its beginning; reads no more until goOn(). */
  static async open(port, path, bytes = 4_096, first = '"type" ?: ?"connected"') {
    const reader = new SlowReader()
    reader.#program = new Program('perl', ['-e', SCRIPT, String(port), path, String(bytes), first])
    await reader.#program.lines.find(line => line === 'stopped', 'the stream begins')
    return reader
  }

  goOn() {
    this.#program.stdin.end('\n')
  }

  /** All that it has read, from the head of the answer on. */
  get text() {
    return this.#program.stdout
  }

  close() {
    return this.#program.end('SIGKILL')
  }
}
