#!/bin/sh
# Builds the sample drivers with clang and lld.
#
#   build.sh [FOLDER]            build every sample; the files beside their sources are rewritten
#   build.sh --check [FOLDER]    build into a temporary folder and compare with the committed files, byte for byte
#   build.sh --pdb DIR [FOLDER]  build into DIR, with a .pdb beside every .sys; the committed files stay as they are
#
# With FOLDER, the drivers of that folder instead of the samples: each .c or .cpp file in it is one, and once more with each
# of the SEED_... names defined that it mentions. They go into FOLDER/built where there is one; FOLDER/include is searched.
# The same sources give the same bytes: no times, no paths, no host in them. Committed files come from Debian's clang 14.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
usage() {
    echo "usage: build.sh [--check | --pdb DIR] [FOLDER]" >&2
    exit 2
}

# Samples whose .pdb is committed beside them.
with_pdb="nic/nic.sys broken/halt-leaks-interrupt/halt-leaks-interrupt.sys"

mode=write
dir=
case ${1-} in
--check)
    mode=check
    shift
    ;;
--pdb)
    mode=pdb
    [ $# -ge 2 ] || usage
    dir=$2
    shift 2
    ;;
-*) usage ;;
esac
[ $# -le 1 ] || usage
base=$here
[ $# -eq 0 ] || base=$(CDPATH= cd -- "$1" && pwd)
out=$base
if [ "$mode" = pdb ]; then
    mkdir -p "$dir"
    out=$(CDPATH= cd -- "$dir" && pwd)
fi
cd "$here"

for tool in clang lld-link llvm-dlltool; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "build.sh: $tool is missing. On Debian: apt-get install clang lld llvm" >&2
        exit 2
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT HUP INT TERM
[ "$mode" = check ] && out=$work/out

cflags="--target=x86_64-pc-windows-msvc -std=c11 -O2 -ffreestanding -nostdinc -fms-extensions
    -fstack-protector-strong -fasynchronous-unwind-tables -fno-ident -Wall -Wextra -Werror -Wno-multichar -I include"
lflags="/nologo /driver /subsystem:native /nodefaultlib /entry:DriverEntry /machine:x64 /Brepro /opt:ref /opt:icf
    /incremental:no"
# Functions, lines and inlined functions, no types. What a PDB says of paths begins at the repository.
if [ "$mode" = pdb ] || [ "$base" = "$here" ]; then
    cflags="$cflags -gline-tables-only -gcodeview -ffile-compilation-dir=samples/c -resource-dir=."
fi

# Import libraries from our own lists of names.
for def in lib/*.def; do
    llvm-dlltool -m i386:x86-64 -d "$def" -l "$work/$(basename "$def" .def).lib"
done

# The layouts are part of every build.
clang $cflags -fsyntax-only include/layout.c

# compile SOURCE OBJECT [INCLUDE]
compile() {
    clang $cflags ${3:+-I "$3"} -c "$1" -o "$2"
}

# link SYS OBJECT...
link() {
    sys=$1
    shift
    name=$(basename "$sys" .sys)
    target=$out/$(dirname "$sys")
    mkdir -p "$target"
    pdb=
    case "$mode $with_pdb " in
    pdb\ * | *" $sys "*) pdb="/debug /pdb:$name.pdb /pdbaltpath:%_PDB% /pdbsourcepath:." ;;
    esac
    # The command line stands in the PDB: without paths, it is the same everywhere.
    objects=$(for file in "$@" "$work"/*.lib; do echo "${file#"$work/"}"; done)
    (cd "$work" && lld-link $lflags $pdb "/out:$name.sys" $objects)
    mv "$work/$name.sys" "$target"
    built="$built $sys"
    [ -n "$pdb" ] || return 0
    mv "$work/$name.pdb" "$target"
    built="$built ${sys%.sys}.pdb"
}

built=
mkdir "$work/support"
for source in support/*.c; do
    compile "$source" "$work/support/$(basename "$source" .c).obj"
done

samples() {
    mkdir "$work/nic"
    for source in nic/*.c; do
        compile "$source" "$work/nic/$(basename "$source" .c).obj"
    done
    link nic/nic.sys "$work"/nic/*.obj "$work"/support/*.obj

    # A broken twin is the clean driver with the files of its folder in place of the files of the same name.
    for folder in broken/*/; do
        [ -d "$folder" ] || continue
        rule=$(basename "$folder")
        mkdir -p "$work/$rule"
        cp "$work"/nic/*.obj "$work/$rule"
        for source in "$folder"*.c; do
            if [ ! -f "nic/$(basename "$source")" ]; then
                echo "build.sh: $source replaces nothing in nic/" >&2
                exit 1
            fi
            compile "$source" "$work/$rule/$(basename "$source" .c).obj" nic
        done
        link "broken/$rule/$rule.sys" "$work/$rule"/*.obj "$work"/support/*.obj
    done
}

singles() {
    mkdir "$work/single"
    sub=
    [ ! -d "$base/built" ] || sub=built/
    [ ! -d "$base/include" ] || cflags="$cflags -I $base/include"
    for source in "$base"/*.c "$base"/*.cpp; do
        [ -f "$source" ] || continue
        plain=$cflags
        driver=$(basename "$source")
        driver=${driver%.*}
        # SEED_TX_RING in ladder.c: ladder-tx-ring.sys
        for seed in '' $(grep -oE 'SEED_[A-Z0-9_]+' "$source" | sort -u); do
            name=$driver
            if [ -n "$seed" ]; then
                name=$driver-$(echo "${seed#SEED_}" | tr 'A-Z_' 'a-z-')
                cflags="$plain -D$seed"
            fi
            case $source in
            *.cpp) cflags=$(echo "$cflags" | sed 's/-std=c11/-std=c++17 -fno-exceptions -fno-rtti -fno-threadsafe-statics/') ;;
            esac
            compile "$source" "$work/single/$name.obj"
            link "$sub$name.sys" "$work/single/$name.obj" "$work"/support/*.obj
            cflags=$plain
        done
    done
}

if [ "$base" = "$here" ]; then samples; else singles; fi

if [ "$mode" = check ]; then
    differ=0
    for file in $built; do
        if ! cmp -s "$out/$file" "$base/$file"; then
            echo "differs: $(basename "$base")/$file" >&2
            differ=1
        fi
    done
    [ $differ -eq 0 ] && echo "all $(echo $built | wc -w) files are as committed"
    exit $differ
fi
for file in $built; do
    echo "$file $(wc -c <"$out/$file")"
done
