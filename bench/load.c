// load: makes TCP connections on loopback and writes down what it made (the ground truth).
//
//   load traffic [--netns] [--truth FILE] [--servers N] [--clients N] [--idle N]
//                [--rate N --seconds S [--life-ms L] [--reset]]
//   load spawn   --truth FILE --rate N --seconds S [--life-ms L]
//   load loop    [--netns] --count N
//   load listen  --port P
//
// traffic  opens the idle connections, then `rate` short ones a second for `seconds`. Each sends 4
//          bytes, reads them back, lives `life-ms` and is closed, or reset.
// spawn    the same from a new process a connection: it calls, lives `life-ms`, and ends.
// loop     the observed program: connect, accept, close, as fast as it goes; tells its CPU time.
// listen   accepts on a port and does nothing else.
//
// With --netns everything happens in a network namespace of its own: no TIME_WAIT row of an earlier
// run is left in it. It says "ready pid=P netns=N" once the idle connections stand, begins with the
// first line on its standard input, says "done key=value...", and ends with the end of the input.
// Whatever happens it ends after ten minutes, and with whoever started it.
//
// A line of the truth is one connection, its fields separated by tabs:
//   idle|short  client pid  server pid  client port  server port  opened  closed
// Times are nanoseconds since the epoch; closed is 0 for a connection that stays open. Each client
// writes FILE.<its number>; the processes of `spawn` append to FILE.0.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_PORT = 9000, PORTS = 16, MOST = 64, LONGEST_SECONDS = 600 };

static struct {
  int servers, clients, idle, rate, seconds, life_ms, reset, netns, count, port, server_pid, serial;
  const char *truth;
} options = {.servers = 1, .clients = 1, .port = 80, .truth = ""};

static pid_t server_pids[MOST];

struct connection {
  int fd, client_port, server_port;
  long long opened_ns, close_at_ns;
};

struct result {
  long made, failed;
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static long long clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_ns(long long ns) {
  struct timespec t = {ns / 1000000000, ns % 1000000000};
  if (ns > 0) nanosleep(&t, NULL);
}

static void die_with_parent(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(LONGEST_SECONDS);
}

static pid_t fork_child(void) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (!pid) die_with_parent();
  return pid;
}

static void enter_new_netns(void) {
  if (unshare(CLONE_NEWNET)) fail("unshare");
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  if (ioctl(s, SIOCSIFFLAGS, &request)) fail("loopback");
  close(s);
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int listen_on(in_addr_t ip, int port, int flags) {
  int fd = socket(AF_INET, SOCK_STREAM | flags, 0), one = 1;
  struct sockaddr_in address = loopback(port);
  address.sin_addr.s_addr = ip;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (void *)&address, sizeof address) || listen(fd, 4096)) fail("listen");
  return fd;
}

// ---- the server: PORTS listeners, echoes, closes when the other side does

static void watch(int epoll, int fd, int is_listener) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (unsigned long)fd << 1 | is_listener};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

static void serve(int epoll) {
  struct epoll_event events[256];
  char buffer[4096];
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.u64 >> 1, accepted;
      if (events[i].data.u64 & 1) {
        while ((accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(epoll, accepted, 0);
        continue;
      }
      ssize_t got = read(fd, buffer, sizeof buffer);
      if (got <= 0 || write(fd, buffer, got) != got) close(fd);
    }
  }
}

// Forks the servers; their listeners stand when this returns.
static void start_servers(void) {
  for (int server = 0; server < options.servers; server++) {
    int epoll = epoll_create1(0), listeners[PORTS];
    for (int i = 0; i < PORTS; i++) {
      int port = FIRST_PORT + server * PORTS + i;
      listeners[i] = listen_on(htonl(INADDR_LOOPBACK), port, SOCK_NONBLOCK);
      watch(epoll, listeners[i], 1);
    }
    server_pids[server] = fork_child();
    if (!server_pids[server]) serve(epoll);
    for (int i = 0; i < PORTS; i++) close(listeners[i]);  // one holder a listener: the server
    close(epoll);
  }
}

// ---- one connection

static int dial(struct connection *made, int port) {
  struct sockaddr_in address = loopback(port);
  socklen_t length = sizeof address;
  made->fd = socket(AF_INET, SOCK_STREAM, 0);
  made->opened_ns = clock_ns(CLOCK_REALTIME);
  if (made->fd < 0 || connect(made->fd, (void *)&address, sizeof address)) {
    if (made->fd >= 0) close(made->fd);
    return -1;
  }
  getsockname(made->fd, (void *)&address, &length);
  made->client_port = ntohs(address.sin_port);
  made->server_port = port;
  return 0;
}

static void exchange(int fd) {
  char buffer[4] = "ping";
  if (write(fd, buffer, sizeof buffer) < 0 || read(fd, buffer, sizeof buffer) < 0) return;
}

static void record(FILE *truth, const char *kind, const struct connection *made, long long closed) {
  pid_t server = options.server_pid;
  if (!server) server = server_pids[(made->server_port - FIRST_PORT) / PORTS];
  fprintf(truth, "%s\t%d\t%d\t%d\t%d\t%lld\t%lld\n", kind, getpid(), server, made->client_port,
          made->server_port, made->opened_ns, closed);
}

static void finish(FILE *truth, const struct connection *made) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (options.reset) setsockopt(made->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(made->fd);
  record(truth, "short", made, clock_ns(CLOCK_REALTIME));
}

static FILE *open_truth(int number) {
  char path[4096];
  snprintf(path, sizeof path, "%s.%d", options.truth, number);
  if (!*options.truth) return fopen("/dev/null", "w");
  FILE *truth = fopen(path, "a");
  if (!truth) fail(path);
  return truth;
}

// ---- the client of `traffic`

static void open_idle(FILE *truth, int count) {
  for (int i = 0; i < count; i++) {
    struct connection made;
    if (dial(&made, FIRST_PORT + i % (PORTS * options.servers))) fail("idle connection");
    exchange(made.fd);
    record(truth, "idle", &made, 0);
  }
  fflush(truth);
}

static struct result churn(FILE *truth) {
  struct result result = {0};
  long long step = 1000000000LL * options.clients / options.rate;
  long long start = clock_ns(CLOCK_MONOTONIC), next = start, now;
  long long end = start + options.seconds * 1000000000LL, life = options.life_ms * 1000000LL;
  int size = life / step + 1000, first = 0, last = 0;
  struct connection *open = calloc(size, sizeof *open);
  while ((now = clock_ns(CLOCK_MONOTONIC)) < end) {
    for (; first != last && open[first].close_at_ns <= now; first = (first + 1) % size)
      finish(truth, &open[first]);
    if (now < next) {
      long long until = first != last && open[first].close_at_ns < next
                            ? open[first].close_at_ns : next;
      sleep_ns(until - now);
      continue;
    }
    struct connection *made = &open[last];
    next += step;
    if (dial(made, FIRST_PORT + result.made % (PORTS * options.servers))) {
      result.failed++;
      continue;
    }
    exchange(made->fd);
    result.made++;
    made->close_at_ns = clock_ns(CLOCK_MONOTONIC) + life;
    if (!life) finish(truth, made);
    else last = (last + 1) % size;
  }
  for (; first != last; first = (first + 1) % size) finish(truth, &open[first]);
  fflush(truth);
  return result;
}

static void client(int number, int ready, int go, int results) {
  char byte = 0;
  FILE *truth = open_truth(number);
  open_idle(truth, options.idle / options.clients);
  if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0) fail("client");
  struct result result = {0};
  if (options.rate) result = churn(truth);
  if (write(results, &result, sizeof result) != sizeof result) fail("client");
  for (;;) pause();  // the idle connections stay open
}

// ---- what the parent says and hears

static void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

static void wait_for_line(void) {
  char c;
  while (read(0, &c, 1) == 1 && c != '\n') continue;
}

static void say_ready_and_wait(void) {
  struct stat netns;
  if (stat("/proc/self/ns/net", &netns)) fail("netns");
  say("ready pid=%d netns=%lu", getpid(), (unsigned long)netns.st_ino);
  wait_for_line();
}

static void traffic(void) {
  int ready[2], go[2], results[2];
  pid_t clients[MOST];
  char byte;
  start_servers();  // before the pipes: an end of one left in a server would never be closed
  if (pipe(ready) || pipe(go) || pipe(results)) fail("pipe");
  for (int i = 0; i < options.clients; i++) {
    clients[i] = fork_child();
    if (!clients[i]) {
      close(go[1]);
      client(i, ready[1], go[0], results[1]);
    }
  }
  close(ready[1]);
  close(results[1]);
  for (int i = 0; i < options.clients; i++)
    if (read(ready[0], &byte, 1) != 1) fail("a client ended");
  say_ready_and_wait();
  close(go[1]);
  struct result all = {0}, one;
  for (int i = 0; i < options.clients; i++) {
    if (read(results[0], &one, sizeof one) != sizeof one) fail("a client ended");
    all.made += one.made;
    all.failed += one.failed;
  }
  say("done made=%ld failed=%ld", all.made, all.failed);
  wait_for_line();
  for (int i = 0; i < options.clients; i++) kill(clients[i], SIGKILL);
}

// ---- spawn: a process a connection

static void once(void) {
  FILE *truth = open_truth(0);
  struct connection made;
  if (dial(&made, options.port)) fail("connect");
  exchange(made.fd);
  sleep_ns(options.life_ms * 1000000LL);
  finish(truth, &made);
}

static void exec_once(int serial) {
  char port[16], life[16], server[16], number[16];
  snprintf(port, sizeof port, "%d", FIRST_PORT + serial % PORTS);
  snprintf(life, sizeof life, "%d", options.life_ms);
  snprintf(server, sizeof server, "%d", server_pids[0]);
  snprintf(number, sizeof number, "%d", serial);
  execl("/proc/self/exe", "load", "once", "--port", port, "--life-ms", life, "--server-pid", server,
        "--truth", options.truth, "--serial", number, NULL);
  fail("exec");
}

static void spawn(void) {
  start_servers();
  fclose(open_truth(0));
  say_ready_and_wait();
  long long start = clock_ns(CLOCK_MONOTONIC), step = 1000000000LL / options.rate;
  int status, made = 0, failed = 0, count = options.rate * options.seconds;
  for (int i = 0; i < count; i++) {
    sleep_ns(start + i * step - clock_ns(CLOCK_MONOTONIC));
    if (!fork_child()) exec_once(i);
    while (waitpid(-1, &status, WNOHANG) > 0) status ? failed++ : made++;
  }
  while (made + failed < count && waitpid(-1, &status, 0) > 0) status ? failed++ : made++;
  say("done made=%d failed=%d", made, failed);
  wait_for_line();
}

// ---- loop: the observed program

static long long microseconds(struct timeval t) { return t.tv_sec * 1000000LL + t.tv_usec; }

static void loop(void) {
  int listeners[PORTS];
  for (int i = 0; i < PORTS; i++)
    listeners[i] = listen_on(htonl(INADDR_LOOPBACK), FIRST_PORT + i, 0);
  say_ready_and_wait();
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < options.count; i++) {
    struct connection made;
    if (dial(&made, FIRST_PORT + i % PORTS)) fail("connect");
    int accepted = accept(listeners[i % PORTS], NULL, NULL);
    close(made.fd);
    close(accepted);
  }
  getrusage(RUSAGE_SELF, &after);
  say("done made=%d user_us=%lld system_us=%lld", options.count,
      microseconds(after.ru_utime) - microseconds(before.ru_utime),
      microseconds(after.ru_stime) - microseconds(before.ru_stime));
  wait_for_line();
}

static void parse(int count, char **arguments) {
  struct {
    const char *name;
    int *value, is_flag;
  } known[] = {
      {"--servers", &options.servers, 0},   {"--clients", &options.clients, 0},
      {"--idle", &options.idle, 0},         {"--rate", &options.rate, 0},
      {"--seconds", &options.seconds, 0},   {"--life-ms", &options.life_ms, 0},
      {"--count", &options.count, 0},       {"--port", &options.port, 0},
      {"--serial", &options.serial, 0},     {"--server-pid", &options.server_pid, 0},
      {"--reset", &options.reset, 1},       {"--netns", &options.netns, 1},
  };
  for (int i = 2; i < count; i++) {
    size_t k = 0, size = sizeof known / sizeof *known;
    if (!strcmp(arguments[i], "--truth") && i + 1 < count) {
      options.truth = arguments[++i];
      continue;
    }
    while (k < size && strcmp(arguments[i], known[k].name)) k++;
    if (k == size || (!known[k].is_flag && i + 1 == count)) {
      fprintf(stderr, "load: %s?\n", arguments[i]);
      exit(2);
    }
    *known[k].value = known[k].is_flag ? 1 : atoi(arguments[++i]);
  }
  if (options.servers > MOST || options.clients > MOST) exit(2);
}

int main(int count, char **arguments) {
  const char *role = count > 1 ? arguments[1] : "";
  parse(count, arguments);
  die_with_parent();
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  if (options.netns) enter_new_netns();
  if (!strcmp(role, "traffic")) traffic();
  else if (!strcmp(role, "spawn")) spawn();
  else if (!strcmp(role, "once")) once();
  else if (!strcmp(role, "loop")) loop();
  else if (!strcmp(role, "listen")) {
    listen_on(htonl(INADDR_ANY), options.port, 0);
    for (;;) pause();
  } else return 2;
  return 0;
}
