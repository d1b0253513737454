"""How is order history turned into a judged, published artifact?"""
