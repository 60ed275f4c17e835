#!/usr/bin/env bash
# Shows what a trained network says of real images; then trains two networks on phantoms, one with CE+Dice and one with
# NACL, and shows how far each is to be believed.
#
# Usage: bash scripts/demo.sh [FOLDER [TASK04_HIPPOCAMPUS]]
# Everything is written to FOLDER, "demo" by default. The real images are downloaded if their folder is not given; where
# there is no network, the demo goes on without them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -e "${1:-demo}/imagesTr" ]; then
    echo "error: ${1:-demo} holds a data set (imagesTr), and the demo would write into it: give it as the second argument" >&2
    exit 1
fi
source scripts/venv.sh "" # without an argument it would have those of this script
export OMP_NUM_THREADS=1 # each of the two trainings below has a core of its own

out="${1:-demo}"
data="$out/phantoms"
mkdir -p "$out"

echo "=== A trained network on eight real images, which it never saw: less than a minute"
volumes=bundles/hippocampus_soft_dice
configs="['$volumes/configs/train.json','$volumes/configs/evaluate.json','$volumes/configs/volumes.json']"
if python scripts/real_cases.py "$out/real" ${2:+--data "$2"}; then
    python -W ignore -m monai.bundle run --config_file "$configs" --bundle_root "$volumes" \
        --ckpt_dir results/hippocampus/volumes/soft_dice_seed0 --calibrator ts --test_dir "$out/real/cases" \
        --output_dir "$out/trained"
    echo "=== Its segmentation, its confidence and whether that can be believed: $out/trained/report/report.html"
elif [ -n "${2:-}" ]; then
    exit 1
else
    missing="=== No real images were predicted. With the folder of the data set: bash scripts/demo.sh $out path/to/Task04_Hippocampus"
    echo "$missing"
fi

if [ -n "${2:-}" ] && [ -e "$out/report/report.html" ]; then
    echo "=== The networks of before are kept, and shown in $out/report/report.html; another FOLDER trains them anew"
    exit
fi

echo
python scripts/write_phantoms.py "$data" --cases 36

run() { # run BUNDLE CONFIG_FILE [OPTION ...]
    python -W ignore -m monai.bundle run --config_file "$2" --bundle_root "bundles/$1" --dataset_dir "$data" \
        --ckpt_dir "$out/$1/models" --output_dir "$out/$1" "${@:3}"
}
train_and_evaluate() { # train_and_evaluate BUNDLE
    run "$1" "bundles/$1/configs/train.json" --epochs 10 --overwrite True
    run "$1" "['bundles/$1/configs/train.json','bundles/$1/configs/evaluate.json']"
}

echo "=== Training two networks on the same $(ls "$data/imagesTr" | wc -l) phantoms, a few minutes: hippocampus_nacl,"
echo "=== shown here, and hippocampus_dice_ce, beside it in $out/hippocampus_dice_ce.log"
train_and_evaluate hippocampus_dice_ce > "$out/hippocampus_dice_ce.log" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
train_and_evaluate hippocampus_nacl
wait "$beside" || { tail -n 3 "$out/hippocampus_dice_ce.log" >&2 && exit 1; }

echo && echo "=== Inference on one image that neither has seen"
case="$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["test"][0])' "$out/hippocampus_nacl/split.json")"
run hippocampus_nacl bundles/hippocampus_nacl/configs/inference.json --input "$data/imagesTr/$case.nii.gz"

python -m calib_monai.reports "$out"/hippocampus_{dice_ce,nacl} --out "$out/report" --case "$case"
python scripts/check_demo.py "$out" || echo "=== So that sentence of docs/get_started.md does not hold here"
echo "${missing-}"
