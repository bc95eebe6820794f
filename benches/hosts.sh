#!/usr/bin/env bash
# How far several hosts share the work of one minute.
#
# Run by hand, after `cargo build --release --features full`:
#
#     benches/hosts.sh [path of the program]
#     PARTICIPANTS=2000 BACK_ENDS="postgres mariadb" PROCESSES="1 4" benches/hosts.sh
#
# For each of BACK_ENDS (sqlite, postgres, mariadb; by name also sqlite-wal: with a write-ahead log) and each number of
# PROCESSES (1, 2, 4, 8) makes a platform in a temporary folder: the seed's tables, the three indexes that docs/tables.md
# advises, four sessions in about an hour with PARTICIPANTS (20,000) in all, nobody opted in to WhatsApp. Then so many
# `reminders send` begin at the same second, each with a state folder of its own as on a host of its own, and
# MAIL_CONNECTIONS=16. The mail server, one process, answers each command 50 ms after it came and offers no PIPELINING:
# four replies a mail let one process send 80 mails in a second at most. PostgreSQL and MariaDB are private, on free ports,
# with the settings they come with (each commit is on the disk when it returns).
#
#     seconds        until the last process has ended
#     speed-up       against one process on the same back end; "-" where that was not measured
#     program ms     CPU time (user + system) of all processes per reminder; for SQLite the database is in it
#     database ms    CPU time of all processes of the database server per reminder, its work in the background included
#     reply ms       how long the mail server took to answer, on average: over 52, it was short of CPU time
#     mail server    CPU time of the mail server, in percent of one core; near 100, it is the limit
#     others         CPU time of all else on this machine, the kernel's included, in percent of one core
#
# Hosts and servers share this machine's cores here, so where all are busy the speed-up is less than that of several hosts.
#
# Each run is verified: every participant got exactly one mail, each row of the ledger is `sent` at its first attempt,
# session_reminder_logs counts everybody, every exit code is 0, and no process wrote a word.
#
# Needs bash, python3, and for what is measured the sqlite3 shell, PostgreSQL and MariaDB with their command-line clients.
# A pass takes no new work after ten minutes: more than 40,000 participants are too many for one process. All of it takes
# about 25 minutes. Ends with 1 when a result is wrong.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "${1:-${CARGO_TARGET_DIR:-$root/target}/release/reminders}")
participants=${PARTICIPANTS:-20000}
back_ends=${BACK_ENDS:-sqlite postgres mariadb}
processes=${PROCESSES:-1 2 4 8}
folder=$(mktemp -d)
chmod 711 "$folder" # the servers' users pass through it
ledger=session_reminder_deliveries
broken=0
PATH=$PATH:/usr/sbin$(printf ':%s' /usr/lib/postgresql/*/bin)

# A database server is stopped with its own signal for "at once"; its data go anyway.
server=0
signal=
stop_server() {
    [ "$server" != 0 ] || return 0
    # It may have ended by itself; the folder is to go all the same.
    kill -s "$signal" "$server" 2> /dev/null || true
    wait "$server" || true
    server=0
}
trap 'stop_server; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

# How to run a program as somebody else, for root: PostgreSQL refuses to be run by root.
as_postgres=()
as_mysql=()
if [ "$(id -u)" = 0 ]; then
    as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)
    as_mysql=(setpriv --reuid mysql --regid mysql --clear-groups)
fi

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A server's folder, owned by its user. It is the working folder too: not every user may be where this one is.
server_folder() {
    mkdir -p "$folder/$1"
    [ "$(id -u)" != 0 ] || chown "$2" "$folder/$1"
    cd "$folder/$1"
}

# Runs an SQL text, or what comes on stdin, and prints the rows, their columns separated by spaces.
query() {
    case $back_end in
    sqlite*) sqlite3 -separator ' ' "$folder/platform/platform.sqlite" "$@" ;;
    postgres) psql -h 127.0.0.1 -p "$port" -U lms -XqAt -F ' ' -v ON_ERROR_STOP=1 -d lms ${1:+-c "$1"} ;;
    mariadb) mariadb --no-defaults -h 127.0.0.1 -P "$port" -u lms -plms -N lms ${1:+-e "$1"} | tr '\t' ' ' ;;
    esac
}

# Waits until the server answers a command, half a minute at most.
await() {
    for _ in $(seq 300); do
        ! "$@" > /dev/null 2>&1 || return 0
        sleep 0.1
    done
    cat "$folder/server.log" >&2
    echo "the database server does not start" >&2
    return 1
}

start_postgres() {
    server_folder pg postgres
    port=$(free_port)
    "${as_postgres[@]}" initdb -D data -U lms -A trust -E UTF8 --locale=C.UTF-8 > "$folder/server.log"
    "${as_postgres[@]}" postgres -D data -k "$PWD" -p "$port" -c listen_addresses=127.0.0.1 >> "$folder/server.log" 2>&1 &
    server=$! signal=QUIT
    await psql -h 127.0.0.1 -p "$port" -U lms -d postgres -c 'SELECT 1'
}

start_mariadb() {
    server_folder my mysql
    port=$(free_port)
    # Each server that starts clears the folder for temporary tables of what others have there.
    "${as_mysql[@]}" mkdir temporary
    "${as_mysql[@]}" mariadb-install-db --no-defaults --datadir="$PWD/data" --tmpdir="$PWD/temporary" \
        --skip-test-db --auth-root-authentication-method=normal > "$folder/server.log"
    "${as_mysql[@]}" mariadbd --no-defaults --datadir="$PWD/data" --tmpdir="$PWD/temporary" --socket="$PWD/socket" \
        --pid-file="$PWD/pid" --bind-address=127.0.0.1 --port="$port" --skip-name-resolve \
        --default-time-zone=+00:00 >> "$folder/server.log" 2>&1 &
    server=$! signal=TERM
    await mariadb --no-defaults -S socket -u root -e 'SELECT 1'
    mariadb --no-defaults -S socket -u root \
        -e "CREATE USER lms@127.0.0.1 IDENTIFIED BY 'lms'; GRANT ALL ON lms.* TO lms@127.0.0.1"
}

start_server() {
    case $back_end in
    sqlite | sqlite-wal) ;;
    postgres | mariadb) "start_$back_end" ;;
    *) echo "no such back end: $back_end" >&2 && return 1 ;;
    esac
}

# An empty database in the place of the last one, with the back end's share of .env.
empty_database() {
    case $back_end in
    sqlite*)
        rm -f "$folder/platform/"platform.sqlite*
        [ "$back_end" = sqlite ] || query 'PRAGMA journal_mode = WAL' > /dev/null
        printf 'DB_CONNECTION=sqlite\nDB_DATABASE=platform.sqlite\n'
        ;;
    postgres)
        PGOPTIONS='-c client_min_messages=warning' psql -h 127.0.0.1 -p "$port" -U lms -d postgres -Xq \
            -c 'DROP DATABASE IF EXISTS lms' -c 'CREATE DATABASE lms'
        printf 'DB_CONNECTION=pgsql\nDB_HOST=127.0.0.1\nDB_PORT=%s\nDB_DATABASE=lms\nDB_USERNAME=lms\n' "$port"
        ;;
    mariadb)
        mariadb --no-defaults -S "$folder/my/socket" -u root -e 'DROP DATABASE IF EXISTS lms; CREATE DATABASE lms'
        printf 'DB_CONNECTION=mariadb\nDB_HOST=127.0.0.1\nDB_PORT=%s\nDB_DATABASE=lms\n' "$port"
        printf 'DB_USERNAME=lms\nDB_PASSWORD=lms\n'
        ;;
    esac
}

# The platform's rows, on every back end.
rows() {
    local numbers course start
    case $back_end in
    sqlite*) numbers="SELECT value AS n FROM generate_series(1, $participants)" ;;
    postgres) numbers="SELECT n FROM generate_series(1, $participants) n" ;;
    mariadb) numbers="SELECT seq AS n FROM seq_1_to_$participants" && echo "SET sql_mode = 'PIPES_AS_CONCAT';" ;;
    esac
    echo "BEGIN;"
    for course in 1 2 3 4; do
        start=$(date -u -d "+$((58 + course)) minutes" '+%F %T')
        echo "INSERT INTO courses (id, title) VALUES ($course, 'Kursus $course');
            INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url) VALUES
                ($course, $course, 'Sesi $course', 'online', '$start', 'https://meet.example.org/$course');"
    done
    cat << SQL
INSERT INTO users (id, name, email) SELECT n, 'Peserta ' || n, 'p' || n || '@example.org' FROM ($numbers) numbers;
INSERT INTO user_profiles (user_id, phone) SELECT n, '0812' || (10000000 + n) FROM ($numbers) numbers;
INSERT INTO enrollments (user_id, course_id, status) SELECT n, 1 + n % 4, 'active' FROM ($numbers) numbers;
COMMIT;
CREATE INDEX course_sessions_scheduled_at_index ON course_sessions (scheduled_at);
CREATE INDEX enrollments_course_id_index ON enrollments (course_id);
CREATE INDEX user_profiles_user_id_index ON user_profiles (user_id);
SQL
}

# What a server does by itself in the course of time.
statistics() {
    case $back_end in
    postgres) query 'VACUUM ANALYZE' ;;
    mariadb) query 'ANALYZE TABLE users, user_profiles, courses, course_sessions, enrollments' > /dev/null ;;
    esac
}

platform() {
    local seed=${back_end/mariadb/mysql}
    {
        cat << 'ENV'
APP_TIMEZONE=UTC
MAIL_HOST=127.0.0.1
MAIL_CONNECTIONS=16
MAIL_FROM_ADDRESS=halo@kursuskita.test
WHATSAPP_TRANSPORT=file
WHATSAPP_FILE_DIR=messages
ENV
        empty_database
    } > "$folder/platform/.env"
    query < "$root/tests/data/platform-${seed%-wal}.sql"
    rows | query
    statistics
    HOME=$folder "$program" migrate > /dev/null
}

measure() {
    python3 "$root/benches/hosts/measure.py" "$@"
}

# Whether an SQL text answers what it should.
expect() {
    local answer
    answer=$(query "$2" | tr '\n' ';')
    [ "$answer" != "$1;" ] || return 0
    echo "  wrong: $answer instead of $1 for: $2"
    broken=1
}

# The disk's time to keep 4 KiB, and the versions.
machine() {
    python3 - "$folder/disk" << 'PYTHON'
import os, statistics, sys, time

file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
times = []
for turn in range(200):
    os.pwrite(file, bytes([turn]) * 4096, 4096 * (turn % 50))
    began = time.perf_counter()
    os.fdatasync(file)
    times.append(1000 * (time.perf_counter() - began))
slow = sorted(times)[int(0.95 * len(times))]
print(f"{os.cpu_count()} cores; fdatasync of 4 KiB {statistics.median(times):.2f} ms (one of 20 takes over {slow:.2f} ms)")
PYTHON
    ! command -v postgres > /dev/null || postgres --version
    ! command -v mariadbd > /dev/null || mariadbd --version
}

machine
printf '%s participants; load average %s\n\n' "$participants" "$(cut -d' ' -f1-3 /proc/loadavg)"
printf '%-10s %9s %8s %8s %9s %11s %12s %9s %12s %8s\n' \
    'back end' processes seconds mails/s speed-up 'program ms' 'database ms' 'reply ms' 'mail server' others
mkdir "$folder/platform"
for back_end in $back_ends; do
    start_server
    cd "$folder/platform"
    alone=0
    for count in $processes; do
        platform
        measure "$program" "$folder" "$back_end" "$count" "$participants" "$server" "$alone" || broken=1
        [ "$count" != 1 ] || alone=$(cat "$folder/seconds")
        expect "sent 1 $participants" "SELECT status, attempts, count(*) FROM $ledger GROUP BY status, attempts"
        expect "$participants" 'SELECT sum(recipients_count) FROM session_reminder_logs'
    done
    stop_server
done
exit $broken
