"""The folder for `nnUNet_extTrainer`: nnU-Net imports each file in it by its name alone."""
