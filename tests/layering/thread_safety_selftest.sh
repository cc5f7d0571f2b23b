#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows that check_thread_safety.sh sees what it is there to see: lawful use of our own Mutex passes, and each misuse
# fails with clang's message.
#
#   thread_safety_selftest.sh TREE     (for its base/mutex.h)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mutex=$(cd "${1:?usage: thread_safety_selftest.sh TREE}" && pwd)/base/mutex.h
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{base,server,client,build}
cp "$mutex" "$tree/base/"

cat > "$tree/server/queue.h" << 'END'
#pragma once
#include "base/mutex.h"
#ifndef LIMIT
#error "the build's definitions must arrive"
#endif
class Queue {
 public:
  int size();
  void Wait();

 private:
  int SizeLocked() REQUIRES(mutex_) { return size_; }
  heed::Mutex mutex_;
  heed::CondVar changed_;
  int size_ GUARDED_BY(mutex_) = LIMIT;
};
END
cat > "$tree/server/middle.h" << 'END'
#pragma once
#include "server/queue.h"
END
# A flag that clang does not know, and one that needs quoting.
cat > "$tree/build/compile_commands.json" << END
[
{
  "directory": "$tree/build",
  "command": "/usr/bin/c++ -DLIMIT=3 \"-DNAME=\\\\\"a b\\\\\"\" -I$tree -O2 -Wno-such-gcc-warning -std=c++20 -o q.o -c $tree/server/queue.cc",
  "file": "$tree/server/queue.cc"
}
]
END

# BODY: the check's verdict on a queue.cc of it; its output is left in $output.
Verdict() {
  printf '#include "server/middle.h"\nconst char* name = NAME;\n%s\n' "$1" > "$tree/server/queue.cc"
  output=$("$here/check_thread_safety.sh" "$tree" "$tree/build" 2>&1)
}
Passes() {
  Verdict "$1" || { printf 'must pass:\n%s\n%s\n' "$1" "$output" >&2; exit 1; }
}
Fails() {  # MESSAGE BODY
  if Verdict "$2"; then
    printf 'must fail:\n%s\n%s\n' "$2" "$output" >&2
    exit 1
  fi
  [[ "$output" == *"$1"* ]] || { printf 'must say "%s":\n%s\n' "$1" "$output" >&2; exit 1; }
}

Passes 'int Queue::size() { heed::MutexLock lock(mutex_); return size_; }'
Passes 'void Queue::Wait() { heed::MutexLock lock(mutex_); while (SizeLocked() == 0) changed_.Wait(mutex_); }'
Fails "requires holding mutex 'mutex_'" 'int Queue::size() { return size_; }'
Fails "requires holding mutex 'mutex_'" 'int Queue::size() { return SizeLocked(); }'
Fails "requires holding mutex 'mutex_'" 'void Queue::Wait() { changed_.Wait(mutex_); }'
Fails "still held at the end of function" 'int Queue::size() { mutex_.Lock(); return size_; }'
Fails "that is already held" 'void Queue::Wait() { heed::MutexLock a(mutex_); heed::MutexLock b(mutex_); }'

# A source that is compiled as a part of another file has that file's command.
sed -i "s|/server/queue.cc\"|/build/unity_0_cxx.cxx\"|" "$tree/build/compile_commands.json"
printf '#include "%s"\n' "$tree/server/queue.cc" > "$tree/build/unity_0_cxx.cxx"
Passes 'int Queue::size() { heed::MutexLock lock(mutex_); return size_; }'
Fails "requires holding mutex 'mutex_'" 'int Queue::size() { return size_; }'

# A source that the build does not know is a failure, not a gap.
printf '#include "server/queue.h"\n' > "$tree/client/stray.cc"
Fails 'not part of the build' 'int Queue::size() { heed::MutexLock lock(mutex_); return size_; }'
echo "thread_safety_selftest: misuse is seen"
