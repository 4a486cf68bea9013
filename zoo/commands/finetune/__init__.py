"""`zoo train --from`: a pretrained model trained on with data of one's own."""
