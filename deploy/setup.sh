# Shared by ./run and ./test: everything a fresh machine with only the .NET SDK needs, in the order it is needed.
# Sourced, never run. Works on bash 3.2 and POSIX tools; asks no question; says what it installs and why.
#
# Environment:
#   STREAMING_INSTALL=no   never installs a system package, only says what is missing
#   STREAMING_REPROBE=1    asks the package registry again what it serves
#   TORCH_INCLUDE, TORCH_LIB, TORCH_CXXFLAGS   where another libtorch lies (one with CUDA, say), and flags that it needs
#   UseAkka, UseTorchSharp, UsePrometheusNet, UseKafkaRedist = true|false   forces one side of a package seam

PROBE="$ROOT/.probe"
HOST_DLL="$ROOT/src/Streaming.Host/bin/Release/net10.0/streaming.dll"

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# One thread per BLAS call: the node runs its own threads, and OpenBLAS spinning beside them costs more than it gives.
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# ---- the SDK -------------------------------------------------------------------------------------------------------

need_dotnet() {
    local version=''
    if ! command -v dotnet >/dev/null 2>&1 && [ -x "${HOME:-/}/.dotnet/dotnet" ]; then export PATH="$HOME/.dotnet:$PATH"; fi
    if command -v dotnet >/dev/null 2>&1; then version="$(cd "$ROOT" && dotnet --version 2>/dev/null || true)"; fi
    case "${version%%.*}" in
        '' | *[!0-9]*) version=0 ;;
        *) version="${version%%.*}" ;;
    esac
    [ "$version" -ge 10 ] || die "Streaming needs the .NET SDK 10 or newer, and this machine has $([ "$version" = 0 ] && echo none || echo "$version").
  Debian, Ubuntu: apt-get install dotnet-sdk-10.0 (from Microsoft's package feed on Debian)
  Fedora:         dnf install dotnet-sdk-10.0
  macOS:          brew install --cask dotnet-sdk
  elsewhere:      https://dotnet.microsoft.com/download"
}

# ---- what the package registry serves ------------------------------------------------------------------------------

package_version() { # id [line filter]
    grep "Include=\"$1\"" "$ROOT/Directory.Packages.props" | grep "${2:-.}" | sed -n 's/.*Version="\([^"]*\)".*/\1/p' | head -n 1
}

# Restores a throw-away project with these packages into a throw-away folder. Leaves yes, no or unreachable in FOLDER/answer.
probe_one() { # folder id=version-range...
    local folder="$1" reference references=''
    shift
    mkdir -p "$folder"
    for reference in "$@"; do
        references="$references<PackageReference Include=\"${reference%%=*}\" Version=\"${reference#*=}\" />"
    done
    echo "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup><ItemGroup>$references</ItemGroup></Project>" \
        > "$folder/probe.csproj"
    if (cd "$folder" && NUGET_PACKAGES="$folder/packages" dotnet restore probe.csproj -v q > log 2>&1 9>&-); then echo yes > "$folder/answer"
    elif grep -qE 'NU110[0-9]' "$folder/log"; then echo no > "$folder/answer"
    else echo unreachable > "$folder/answer"; fi
}

# A package may be served and still not load: no native library for this processor, or one that asks for a newer C++ runtime.
native_loads() { # folder library
    local library
    [ "$(uname -s)" = Linux ] && command -v ldd >/dev/null 2>&1 || return 0
    library="$(find "$1/packages" -path "*/linux-$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')/*" -name "$2" | head -n 1)"
    # Not grep -q: it leaves at the first match, ldd dies of the closed pipe, and with pipefail the match counts as none.
    if [ -z "$library" ] || ldd "$library" 2>&1 | grep "version .* not found" > /dev/null; then return 1; fi
}

probe_torch() { # folder
    probe_one "$1" "TorchSharp-cpu=[$(package_version TorchSharp-cpu)]"
    if [ "$(cat "$1/answer")" = yes ] && ! native_loads "$1" libLibTorchSharp.so; then
        echo no > "$1/answer"
        echo " (served, but its native library does not load here, mostly for an older C++ runtime: libtorch of the system instead)" > "$1/note"
    fi
}

probe_key() {
    { cat "$ROOT/Directory.Packages.props" "$ROOT/deploy/setup.sh" "$ROOT"/[Nn]u[Gg]et.[Cc]onfig \
        "${HOME:-/}"/.nuget/NuGet/NuGet.Config "${HOME:-/}"/.config/NuGet/NuGet.Config 2>/dev/null || true; } | cksum
}

# Writes .probe/packages.props, which Directory.Build.props imports. An environment variable of the same name wins.
probe_packages() {
    local key temp id answer kafka all=yes
    key="$(probe_key)"
    if [ "${STREAMING_REPROBE:-}" != 1 ] && [ -f "$PROBE/packages.props" ] && [ "$(cat "$PROBE/packages.key" 2>/dev/null)" = "$key" ]; then return; fi
    say "asking the package registry what it serves (once)"
    temp="$(mktemp -d)"
    cp "$ROOT"/[Nn]u[Gg]et.[Cc]onfig "$temp/" 2>/dev/null || true
    # Akka.NET keeps its API within 1.5: a registry that lacks the version named there may serve a later patch.
    probe_one "$temp/UseAkka" "Akka.Hosting=[$(package_version Akka.Hosting),1.6)" "Akka.Cluster.Sharding=[$(package_version Akka.Cluster.Sharding),1.6)" &
    probe_torch "$temp/UseTorchSharp" &
    probe_one "$temp/UsePrometheusNet" "prometheus-net.AspNetCore=[$(package_version prometheus-net.AspNetCore)]" &
    # librdkafka.redist carries the number of the Confluent.Kafka that it belongs to.
    kafka="$(package_version Confluent.Kafka "== 'true'")"
    probe_one "$temp/UseKafkaRedist" "librdkafka.redist=[$kafka]" "Confluent.Kafka=[$kafka]" &
    wait
    {
        echo '<Project>'
        echo '  <PropertyGroup>'
        for id in UseAkka UseTorchSharp UsePrometheusNet UseKafkaRedist; do
            answer="$(cat "$temp/$id/answer" 2>/dev/null || echo unreachable)"
            [ "$answer" != unreachable ] || all=no
            echo "    <$id Condition=\"'\$($id)' == ''\">$([ "$answer" = yes ] && echo true || echo false)</$id>"
            say "  $(sed -n 's/.*PackageReference Include="\([^"]*\)".*/\1/p' "$temp/$id/probe.csproj" | head -n 1): $answer$(cat "$temp/$id/note" 2>/dev/null || true)"
        done
        echo '  </PropertyGroup>'
        echo '</Project>'
    } > "$PROBE/packages.props.new"
    # Replaced only when it changed: a new time stamp makes MSBuild evaluate and compile everything again.
    if cmp -s "$PROBE/packages.props.new" "$PROBE/packages.props"; then rm "$PROBE/packages.props.new"
    else mv "$PROBE/packages.props.new" "$PROBE/packages.props"; fi
    # An answer that never came is not remembered: the next start asks again.
    # The key is taken again: the first dotnet command on a machine writes the NuGet configuration that is part of it.
    if [ "$all" = yes ]; then probe_key > "$PROBE/packages.key"; else rm -f "$PROBE/packages.key"; fi
    rm -rf "$temp"
}

seam() { # name: true or false, as the build will see it
    local forced="${!1:-}"
    if [ -n "$forced" ]; then echo "$forced"; return; fi
    sed -n "s/.*<$1 [^>]*>\([a-z]*\)<.*/\1/p" "$PROBE/packages.props"
}

# ---- system packages -----------------------------------------------------------------------------------------------

have_library() { # librdkafka.so.1: by the loader's cache, or where Homebrew puts it
    if ldconfig -p 2>/dev/null | grep "$1" >/dev/null || /sbin/ldconfig -p 2>/dev/null | grep "$1" >/dev/null; then return 0; fi
    local stem="${1%%.so*}" folder
    for folder in /opt/homebrew/lib /usr/local/lib /usr/lib /usr/lib64; do
        if ls "$folder/$stem".so* "$folder/$stem".*dylib >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

# Installs Debian packages, or says what to type. Returns 1 when they are still missing.
apt_install() { # packages...
    local as_root=''
    if [ "$(id -u)" != 0 ]; then
        if sudo -n true >/dev/null 2>&1; then as_root='sudo -n'; else as_root=no; fi
    fi
    if [ "$as_root" = no ] || [ "${STREAMING_INSTALL:-}" = no ]; then
        say "    type: sudo apt-get update && sudo apt-get install -y $*"
        return 1
    fi
    # A fresh image has no package lists yet, and old lists name files that are gone: update once and try again.
    if apt_get $as_root install "$@"; then return 0; fi
    if apt_get $as_root update && apt_get $as_root install "$@"; then return 0; fi
    tail -n 5 "$PROBE/apt.log" >&2
    say "    apt-get could not install: $* (all of its output: .probe/apt.log)"
    return 1
}

apt_get() { # [sudo -n] install|update packages...
    local as_root=''
    if [ "$1" = sudo ]; then as_root='sudo -n'; shift 2; fi
    local verb="$1"
    shift
    # shellcheck disable=SC2086
    if [ "$verb" = update ]; then set -- update; else set -- install -y --no-install-recommends "$@"; fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" > "$PROBE/apt.log" 2>&1 < /dev/null
}

other_systems() { # brew dnf pacman: what to install where there is no apt
    say "    macOS: brew install $1   Fedora: dnf install $2   Arch: pacman -S $3"
}

need_native() {
    if [ "$(seam UseKafkaRedist)" != true ] && ! have_library librdkafka.so.1; then
        say "installing librdkafka1: the Kafka client library, which the package registry does not serve"
        if command -v apt-get >/dev/null 2>&1; then apt_install librdkafka1 || die "librdkafka is required (above is how to get it)"
        else other_systems librdkafka librdkafka librdkafka; die "librdkafka is required"; fi
    fi
    if ! command -v zstd >/dev/null 2>&1; then
        say "installing zstd: reads data sets that come compressed (.zst)"
        if command -v apt-get >/dev/null 2>&1; then apt_install zstd || say "    runs without: .zst files cannot be read"
        else other_systems zstd zstd zstd; say "    runs without: .zst files cannot be read"; fi
    fi
    need_tensors
}

# The tensor library's thin layer over the system's libtorch; without it everything runs but the deep models.
need_tensors() {
    local source="$ROOT/src/Streaming.Tensors/native/shim.cpp" built="$PROBE/native/libstreaming_torch.so"
    if [ "$(seam UseTorchSharp)" = true ] || [ ! -f "$source" ]; then return 0; fi
    if [ -f "$built" ] && [ ! "$source" -nt "$built" ]; then return 0; fi
    # A failed try is remembered, so that a machine without libtorch does not pay for it at every start.
    if [ -f "$PROBE/tensors.missing" ] && [ "${STREAMING_REPROBE:-}" != 1 ] && [ ! "$source" -nt "$PROBE/tensors.missing" ]; then return 0; fi
    local includes="${TORCH_INCLUDE:-/usr/include}" compiler="${CXX:-g++}"
    if [ ! -f "$includes/torch/csrc/api/include/torch/torch.h" ] || ! command -v "$compiler" >/dev/null 2>&1; then
        say "installing libtorch-dev, libopenblas0-pthread and g++: tensors for the deep models (about a minute, once)"
        if ! command -v apt-get >/dev/null 2>&1; then other_systems 'pytorch gcc' 'pytorch-devel openblas gcc-c++' 'python-pytorch gcc'; without_tensors; return 0; fi
        apt_install libtorch-dev libopenblas0-pthread g++ || { without_tensors; return 0; }
    fi
    say "compiling the layer over libtorch (about a minute, once)"
    mkdir -p "$PROBE/native"
    # --no-as-needed: libtorch's part for CUDA registers itself when it is loaded, though nothing here calls it by name.
    local libraries="${TORCH_LIB:-/usr/lib}" cuda=''
    if [ -f "$libraries/libtorch_cuda.so" ]; then cuda='-ltorch_cuda -lc10_cuda'; fi
    # shellcheck disable=SC2086
    if "$compiler" -std=c++17 -O2 -fPIC -shared -fvisibility=hidden ${TORCH_CXXFLAGS:-} -o "$built.new" "$source" \
        -I"$includes" -I"$includes/torch/csrc/api/include" -L"$libraries" -Wl,-rpath,"$libraries" -Wl,--no-as-needed \
        -ltorch -ltorch_cpu $cuda -lc10 > "$PROBE/native/compile.log" 2>&1; then
        mv "$built.new" "$built"
        rm -f "$PROBE/tensors.missing"
    else
        tail -n 10 "$PROBE/native/compile.log" >&2
        without_tensors
    fi
}

without_tensors() {
    say "    runs without deep models; STREAMING_REPROBE=1 tries again"
    : > "$PROBE/tensors.missing"
}

# The tests of the pages click through them in a browser; without one they are skipped and say so. A failed try is remembered.
need_browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    if [ -f "$PROBE/browser.missing" ] && [ "${STREAMING_REPROBE:-}" != 1 ]; then return 0; fi
    say "installing chromium and fonts-dejavu-core: the browser that the tests of the pages use"
    if command -v apt-get >/dev/null 2>&1 && apt_install chromium fonts-dejavu-core; then return 0; fi
    command -v apt-get >/dev/null 2>&1 || other_systems chromium chromium chromium
    say "    tests without: those of the pages are skipped; STREAMING_REPROBE=1 tries again"
    : > "$PROBE/browser.missing"
}

# The test that has Prometheus scrape a node wants it, and promtool checks the rules. Unpacked and not installed: a package that is installed
# would start a service of its own. A failed try is remembered.
need_prometheus() {
    PATH="$PATH:$PROBE/prometheus/usr/bin"
    if command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; then return 0; fi
    if [ -f "$PROBE/prometheus.missing" ] && [ "${STREAMING_REPROBE:-}" != 1 ]; then return 0; fi
    say "unpacking prometheus into .probe/prometheus: the tests of the metrics use it"
    mkdir -p "$PROBE/prometheus"
    if [ "${STREAMING_INSTALL:-}" != no ] && command -v apt-get >/dev/null 2>&1 \
        && (cd "$PROBE/prometheus" && apt-get -q download prometheus && dpkg -x prometheus_*.deb . && rm -f prometheus_*.deb) > "$PROBE/apt.log" 2>&1 9>&-; then return 0; fi
    command -v apt-get >/dev/null 2>&1 || other_systems prometheus prometheus prometheus
    say "    tests without: those of the metrics that need it are skipped; STREAMING_REPROBE=1 tries again"
    : > "$PROBE/prometheus.missing"
}

# ---- the build -----------------------------------------------------------------------------------------------------

build_inputs() {
    (cd "$ROOT" && find src tests hocon Directory.Build.props Directory.Packages.props .editorconfig Streaming.sln .probe/packages.props \
        \( -name bin -o -name obj -o -name TestResults -o -name node_modules \) -prune -o -type f ! -path tests/ledger.jsonl "$@" -print)
}

build_key() { # the list of files (one that is gone changes it) and the seams
    { build_inputs | sort; echo "$(seam UseAkka) $(seam UseTorchSharp) $(seam UsePrometheusNet) $(seam UseKafkaRedist)"; } | cksum
}

# UseSharedCompilation=false asks that no compiler server outlive a build. One of the build's own, which need_build_and ends, keeps to that; without any,
# every project's compiler starts cold, and building takes twice as long.
has_own_compiler_server() { [ "${UseSharedCompilation:-}" = false ]; }

# Builds in Release when any input changed since the last good build. The build's output shows only when it failed.
need_build() { # name target output
    local name="$1" target="$2" output="$3" key log="$PROBE/build.log" server=''
    if has_own_compiler_server; then server="-p:UseSharedCompilation=true -p:SharedCompilationId=streaming-$$"; fi
    key="$(build_key)"
    if [ -f "$output" ] && [ -f "$PROBE/$name.built" ] && [ "$(cat "$PROBE/$name.built")" = "$key" ] \
        && [ -z "$(build_inputs -newer "$PROBE/$name.built" | head -n 1)" ]; then return 0; fi
    say "building ($target)"
    # Dated before the build starts: a file saved meanwhile counts as newer.
    echo "$key" > "$PROBE/$name.building"
    # The compiler server outlives the build and must not inherit the lock (9).
    # shellcheck disable=SC2086
    if ! (cd "$ROOT" && dotnet build "$target" -c Release -v q --nologo -clp:NoSummary $server) > "$log" 2>&1 < /dev/null 9>&-; then
        cat "$log" >&2
        die "the build failed (above; also in .probe/build.log)"
    fi
    mv "$PROBE/$name.building" "$PROBE/$name.built"
}

# The build needs nothing of what is installed and compiled here, so the two go on beside each other.
need_build_and() { # what comes first... -- name target output
    local firsts='' first build built=0
    while [ "$1" != -- ]; do firsts="$firsts $1"; shift; done
    shift
    # In a group of its own: what goes on in the background ignores Ctrl-C otherwise, and would build on.
    set -m
    need_build "$@" &
    build=$!
    set +m
    # shellcheck disable=SC2064
    trap "kill -- -$build 2>/dev/null || true" EXIT
    trap 'exit 130' INT TERM
    for first in $firsts; do "$first"; done
    wait "$build" || built=1
    trap - EXIT INT TERM
    if has_own_compiler_server; then kill -- "-$build" 2>/dev/null || true; fi
    [ "$built" = 0 ] || exit 1
}

# Two starts at once take turns. The lock is given up before the node starts (release_lock).
take_lock() {
    mkdir -p "$PROBE"
    exec 9> "$PROBE/lock"
    if command -v flock >/dev/null 2>&1; then flock 9; fi
}

release_lock() { exec 9>&-; }
