"""Reviews: the draft that the record gives when a matter is over or steady, its text, adoption, evaluation, lessons."""
