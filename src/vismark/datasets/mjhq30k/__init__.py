"""MJHQ-30K: prompts of ten categories, and the images that Midjourney drew for them."""
