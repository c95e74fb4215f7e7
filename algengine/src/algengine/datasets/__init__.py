"""Reading recordings, and the vocabulary made from them."""
