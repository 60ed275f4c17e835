#!/usr/bin/env bash
# Trains two networks on phantoms, one with CE+Dice and one with NACL, and shows how far each is to be believed.
#
# Usage: bash scripts/demo.sh [FOLDER]   everything is written to FOLDER, "demo" by default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh
export OMP_WAIT_POLICY=PASSIVE # two threads that spin while they wait are slower than one

out="${1:-demo}"
data="$out/Task04_Hippocampus"
python scripts/write_phantoms.py "$data" --cases 36

run() { # run BUNDLE CONFIG_FILE [OPTION ...]
    python -W ignore -m monai.bundle run --config_file "$2" --bundle_root "bundles/$1" --dataset_dir "$data" \
        --ckpt_dir "$out/$1/models" --output_dir "$out/$1" "${@:3}"
}
for bundle in hippocampus_dice_ce hippocampus_nacl; do
    configs="bundles/$bundle/configs"
    echo && echo "=== $bundle: train, then evaluate on cases that it has not seen"
    run "$bundle" "$configs/train.json" --epochs 10
    run "$bundle" "['$configs/train.json','$configs/evaluate.json']"
done
echo && echo "=== hippocampus_nacl: inference on one image"
case="$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["test"][0])' "$out/hippocampus_nacl/split.json")"
run hippocampus_nacl bundles/hippocampus_nacl/configs/inference.json --input "$data/imagesTr/$case.nii.gz"

python -m calib_monai.reports "$out"/hippocampus_{dice_ce,nacl} --out "$out/report"
