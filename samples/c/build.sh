#!/bin/sh
# Builds the sample drivers with clang and lld.
#
#   build.sh [FOLDER]            build every sample; the .sys files beside their sources are rewritten
#   build.sh --check [FOLDER]    build into a temporary folder and compare with the committed .sys files, byte for byte
#   build.sh --pdb DIR [FOLDER]  build into DIR, with a .pdb beside each .sys; the committed files stay as they are
#
# With FOLDER, the drivers of that folder instead of the samples: each .c file in it is one.
# The same sources give the same bytes: no times, no paths, no host in them. Committed files come from clang 14.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
usage() {
    echo "usage: build.sh [--check | --pdb DIR] [FOLDER]" >&2
    exit 2
}

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
if [ "$mode" = pdb ]; then
    cflags="$cflags -g -gcodeview -ffile-prefix-map=$here=."
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
    mkdir -p "$out/$(dirname "$sys")"
    if [ "$mode" = pdb ]; then
        lld-link $lflags /debug "/pdb:$out/${sys%.sys}.pdb" "/pdbaltpath:%_PDB%" "/out:$out/$sys" "$@" "$work"/*.lib
    else
        lld-link $lflags "/out:$out/$sys" "$@" "$work"/*.lib
    fi
    built="$built $sys"
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
    for source in "$base"/*.c; do
        name=$(basename "$source" .c)
        compile "$source" "$work/single/$name.obj"
        link "$name.sys" "$work/single/$name.obj" "$work"/support/*.obj
    done
}

if [ "$base" = "$here" ]; then samples; else singles; fi

if [ "$mode" = check ]; then
    differ=0
    for sys in $built; do
        if ! cmp -s "$out/$sys" "$base/$sys"; then
            echo "differs: $(basename "$base")/$sys" >&2
            differ=1
        fi
    done
    [ $differ -eq 0 ] && echo "all $(echo $built | wc -w) drivers are as committed"
    exit $differ
fi
for sys in $built; do
    echo "$sys $(wc -c <"$out/$sys")"
done
